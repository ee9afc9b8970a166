/*
 * Two processes keep numbers in vector registers over page faults, system calls and each other's
 * turns, while a timer's handler overwrites them. Prints how many were kept; exits with 1 if one
 * was not.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 2000
#define PAGE 4096

struct vectors {
	unsigned char bytes[4][16];
};

static void overwrite(int number)
{
	(void)number;
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm5, %%xmm5\n\t"
			 "pcmpeqd %%xmm10, %%xmm10; pcmpeqd %%xmm15, %%xmm15" ::
				 : "xmm0", "xmm5", "xmm10", "xmm15");
}

/* Loads the vectors, touches a page for the first time, lets the other one run, stores them. */
static void carry(const struct vectors *in, struct vectors *out, char *page)
{
	long call = SYS_sched_yield;

	__asm__ volatile("movdqu (%1), %%xmm0; movdqu 16(%1), %%xmm5\n\t"
			 "movdqu 32(%1), %%xmm10; movdqu 48(%1), %%xmm15\n\t"
			 "movb $1, (%3)\n\t"
			 "syscall\n\t"
			 "movdqu %%xmm0, (%2); movdqu %%xmm5, 16(%2)\n\t"
			 "movdqu %%xmm10, 32(%2); movdqu %%xmm15, 48(%2)"
			 : "+a"(call)
			 : "r"(in), "r"(out), "r"(page)
			 : "rcx", "r11", "memory", "xmm0", "xmm5", "xmm10", "xmm15");
}

int main(void)
{
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction act = { .sa_handler = overwrite, .sa_flags = SA_RESTART };
	char *pages = mmap(NULL, (size_t)ROUNDS * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int kept = 0, status = 0;
	pid_t other = fork();

	if (other < 0 || pages == MAP_FAILED || sigaction(SIGALRM, &act, NULL) ||
	    setitimer(ITIMER_REAL, &often, NULL))
		return 2;
	for (int i = 0; i < ROUNDS; i++) {
		struct vectors in, out;

		for (int j = 0; j < 4; j++)
			memset(in.bytes[j], (other ? 0 : 128) + (4 * i + j) % 128, 16);
		carry(&in, &out, pages + (size_t)i * PAGE);
		kept += !memcmp(&in, &out, sizeof in);
	}
	often.it_value.tv_usec = often.it_interval.tv_usec = 0;
	setitimer(ITIMER_REAL, &often, NULL);
	if (other && waitpid(other, &status, 0) != other)
		return 2;
	printf("%d of %d\n", kept, ROUNDS);
	return kept != ROUNDS || status != 0;
}
