// SPDX-License-Identifier: GPL-2.0
/*
 * kexec - start another kernel at once, without the firmware
 *
 *	kexec KERNEL INITRAMFS COMMAND_LINE
 *
 * Nothing is stopped or written back. kexec-tools does more and, when installed on
 * Debian, becomes part of every reboot. Exit status: 1 if it is refused.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

/* <linux/reboot.h> */
#define LINUX_REBOOT_CMD_KEXEC	0x45584543

static int open_file(const char *name)
{
	int file = open(name, O_RDONLY);

	if (file < 0)
		err(1, "%s", name);
	return file;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		errx(1, "usage: kexec KERNEL INITRAMFS COMMAND_LINE");
	if (syscall(SYS_kexec_file_load, open_file(argv[1]), open_file(argv[2]),
		    strlen(argv[3]) + 1, argv[3], 0UL))
		err(1, "kexec_file_load");
	reboot(LINUX_REBOOT_CMD_KEXEC);
	err(1, "reboot");
}
