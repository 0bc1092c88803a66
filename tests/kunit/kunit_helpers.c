// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros of the kernel that only kunit_pages.rs needs.
 */
#include <kunit/visibility.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "kunit_helpers.h"

/* prezero_page_is_zero() */
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");

struct page *zero_page_kunit_page(unsigned long pfn)
{
	return pfn_to_page(pfn);
}

unsigned long zero_page_kunit_pfn(const struct page *page)
{
	return page_to_pfn(page);
}

bool zero_page_kunit_is_buddy(const struct page *page)
{
	return PageBuddy(page);
}

bool zero_page_kunit_is_flagged(const struct page *page)
{
	return PageZero(page) || PageExtent(page);
}

void zero_page_kunit_set_poisoned(struct page *page, bool poisoned)
{
	if (poisoned)
		SetPageHWPoison(page);
	else
		ClearPageHWPoison(page);
}
