// SPDX-License-Identifier: GPL-2.0
/*
 * fail_nth - make a system call in which one memory allocation fails
 *
 *	fail_nth insmod FILE PARAMETERS
 *	fail_nth rmmod MODULE
 *	fail_nth write FILE TEXT
 *
 * For each number N that it reads, it makes the call with the Nth allocation
 * failing, using /proc/self/fail-nth, and prints a line "RESULT LEFT": 0 or the
 * errno's name, and how many allocations were left until one would have failed,
 * which is 0 if one did. It is a separate program because an interpreter allocates
 * memory around every call. See Documentation/fault-injection/fault-injection.rst.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_file(const char *name, int flags)
{
	int file = open(name, flags);

	if (file < 0)
		err(1, "%s", name);
	return file;
}

enum call { INSMOD, RMMOD, WRITE };

static enum call parse(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "insmod"))
		return INSMOD;
	if (argc == 3 && !strcmp(argv[1], "rmmod"))
		return RMMOD;
	if (argc == 4 && !strcmp(argv[1], "write"))
		return WRITE;
	errx(1, "usage: fail_nth insmod FILE PARAMETERS|rmmod MODULE|write FILE TEXT");
}

int main(int argc, char **argv)
{
	enum call call = parse(argc, argv);
	int fail, size, left, file = -1;
	char number[20];
	long result;

	fail = open_file("/proc/self/fail-nth", O_RDWR);
	if (call != RMMOD)
		file = open_file(argv[2], call == INSMOD ? O_RDONLY : O_WRONLY);
	/* No page of this program must be faulted in meanwhile. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		err(1, "mlockall");

	while (fgets(number, sizeof(number), stdin)) {
		if (pwrite(fail, number, strlen(number), 0) < 0)
			err(1, "fail-nth");
		switch (call) {
		case INSMOD:
			result = syscall(SYS_finit_module, file, argv[3], 0);
			break;
		case RMMOD:
			result = syscall(SYS_delete_module, argv[2], O_NONBLOCK);
			break;
		case WRITE:
			result = pwrite(file, argv[3], strlen(argv[3]), 0);
			break;
		}
		if (result >= 0)
			errno = 0;
		result = errno;
		size = pread(fail, number, sizeof(number) - 1, 0);
		if (size < 0 || pwrite(fail, "0", 1, 0) < 0)
			err(1, "fail-nth");
		number[size] = 0;
		left = atoi(number);
		printf("%s %d\n", result ? strerrorname_np(result) : "0", left);
		fflush(stdout);
	}
	return 0;
}
