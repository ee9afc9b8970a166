/*
 * Lets Debian 12's User-Mode Linux (6.1) run on processors with AMX (Sapphire Rapids and later).
 *
 * UML sets the floating point registers of its processes by ptrace(PTRACE_SETREGSET,
 * NT_X86_XSTATE) with a buffer of fixed size. On processors with AMX the state is larger, the
 * kernel answers EFAULT, and UML panics ("ptrace set fp regs failed"). Loaded with LD_PRELOAD,
 * this reads the whole state first, lays UML's part over it and sets the whole. On other
 * processors it changes nothing. The AMX registers themselves are not kept apart for the guest's
 * processes, which matters only to those that ask the kernel for AMX.
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

static long set_state(long pid, void *type, struct iovec *given)
{
	static char whole[65536] __attribute__((aligned(64)));
	struct iovec larger = { whole, sizeof whole };

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, type, &larger) < 0 ||
	    given->iov_len >= larger.iov_len)
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, type, given);
	memcpy(whole, given->iov_base, given->iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, type, &larger);
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
	if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
		return set_state(pid, address, data);
	/* The system call stores the word that it peeked at; the function returns it. */
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
		if (syscall(SYS_ptrace, request, pid, address, &word) < 0)
			return -1;
		errno = 0;
		return word;
	}
	return syscall(SYS_ptrace, request, pid, address, data);
}
