// SPDX-License-Identifier: GPL-2.0
/*
 * An intentional data race, to test whether KCSAN finds any: as long as the
 * module is loaded, two threads increment the same variable without a lock.
 */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>

static struct task_struct *racers[2];
static unsigned long shared;

/* Not inlined: its name is in the report. */
static noinline void race_on_purpose(void)
{
	shared++;
}

static int race(void *unused)
{
	while (!kthread_should_stop()) {
		race_on_purpose();
		cond_resched();
	}
	return 0;
}

static void zero_page_race_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(racers); i++) {
		if (racers[i])
			kthread_stop(racers[i]);
	}
}

static int __init zero_page_race_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(racers); i++) {
		struct task_struct *racer = kthread_run(race, NULL, "race/%d", i);

		if (IS_ERR(racer)) {
			zero_page_race_exit();
			return PTR_ERR(racer);
		}
		racers[i] = racer;
	}
	return 0;
}

module_init(zero_page_race_init);
module_exit(zero_page_race_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A data race on purpose");
