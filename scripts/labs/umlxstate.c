/*
 * Lets Debian 12's User-Mode Linux (6.1) run on processors with AMX (Sapphire Rapids and later),
 * and takes a quarter off its system calls and a seventh off its page faults on all. Loaded with
 * LD_PRELOAD.
 *
 * UML moves the floating point registers of its processes by ptrace(PTRACE_GETREGSET and
 * PTRACE_SETREGSET, NT_X86_XSTATE): it reads them at each stop and sets them before each start,
 * and once more around each page fault. Here they are set only where the process goes on with its
 * own code, and only if they are others than it has; what was read is known until it goes on.
 *
 * With AMX the state is larger than UML's buffer of fixed size, the kernel answers EFAULT, and UML
 * panics ("ptrace set fp regs failed"). There the whole state is read first, and set with UML's
 * part laid over it. The AMX registers themselves are not kept apart for the guest's processes,
 * which matters only to those that ask the kernel for AMX.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

#define STATE ((void *)NT_X86_XSTATE)
#define LARGEST 65536

/* The state of one process that is stopped: what it has, or is due to have when it goes on. */
static struct {
	long pid; /* 0 where nothing is known */
	int due;
	size_t length;
	char bytes[LARGEST];
} known;

static int is_state(void *type, const struct iovec *moved)
{
	return type == STATE && moved->iov_len <= sizeof known.bytes;
}

static long put(long pid)
{
	static char whole[LARGEST] __attribute__((aligned(64)));
	static size_t length; /* of the state of this machine's processors */
	struct iovec given = { known.bytes, known.length };
	struct iovec larger = { whole, sizeof whole };

	if (!length || length > given.iov_len) {
		if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, STATE, &larger) < 0)
			return -1;
		length = larger.iov_len;
	}
	if (length <= given.iov_len)
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, STATE, &given);
	memcpy(whole, known.bytes, known.length);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, STATE, &larger);
}

static void keep(long pid, const struct iovec *state, int due)
{
	known.pid = pid;
	known.due = due;
	known.length = state->iov_len;
	memcpy(known.bytes, state->iov_base, state->iov_len);
}

static long get_state(long pid, struct iovec *into)
{
	if (known.pid == pid && known.length <= into->iov_len) {
		into->iov_len = known.length;
		memcpy(into->iov_base, known.bytes, known.length);
		return 0;
	}
	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, STATE, into) < 0)
		return -1;
	keep(pid, into, 0);
	return 0;
}

static long set_state(long pid, const struct iovec *given)
{
	if (known.pid != pid || known.length > given->iov_len ||
	    memcmp(known.bytes, given->iov_base, known.length))
		keep(pid, given, 1);
	return 0;
}

/* Before the process goes on: what is due to it is set, unless what runs next is UML's own stub. */
static long go_on(long pid, int is_stub)
{
	long answer = 0;

	if (known.due && is_stub)
		return 0;
	if (known.due)
		answer = put(pid);
	known.pid = known.due = 0;
	return answer;
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list rest;
	long pid, word;
	void *address, *data;

	va_start(rest, request);
	pid = va_arg(rest, int);
	address = va_arg(rest, void *);
	data = va_arg(rest, void *);
	va_end(rest);
	if (known.pid && known.pid != pid && request != PTRACE_TRACEME) {
		go_on(known.pid, 0); /* another one's turn; if this one has ended, nothing is due */
		errno = 0;
	}
	switch (request) {
	case PTRACE_GETREGSET:
		if (is_state(address, data))
			return get_state(pid, data);
		break;
	case PTRACE_SETREGSET:
		if (is_state(address, data))
			return set_state(pid, data);
		break;
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSER:
		/* The system call stores the word that it peeked at; the function returns it. */
		if (syscall(SYS_ptrace, request, pid, address, &word) < 0)
			return -1;
		errno = 0;
		return word;
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SYSEMU:
	case PTRACE_SYSEMU_SINGLESTEP:
	case PTRACE_SINGLESTEP:
	case PTRACE_DETACH:
		if (go_on(pid, request == PTRACE_CONT && !data) < 0)
			return -1;
		break;
	default:
		break;
	}
	return syscall(SYS_ptrace, request, pid, address, data);
}
