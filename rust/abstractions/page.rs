// SPDX-License-Identifier: GPL-2.0

//! Zeroing of free pages.
//!
//! C header: [`include/linux/prezero.h`](srctree/include/linux/prezero.h)

use core::{
    marker::PhantomData,
    num::NonZero,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// A block of free pages that has been isolated from the page allocator to be zeroed.
///
/// It lives as long as the pages are isolated, and the only way to get a [`ZeroedBlock`] is to
/// clear it.
///
/// # Invariants
///
/// - `first` points to the first of `len` consecutive `struct page` of one buddy block.
/// - These pages are free, and for the duration of `'a` no one else accesses their content.
/// - The first `zeroed` of them, at most `len`, are entirely zero and marked as zero, and no extent
///   that existed before begins among them and extends beyond them.
///
/// # Examples
///
/// These examples do not compile, which `tests/misuse` checks.
///
/// A block cannot be kept for later, when its pages may have been allocated:
///
/// ```compile_fail,E0521
/// fn keep(block: FreeBlock<'static>) {
///     // Stores it for a later call.
/// }
///
/// fn zero(block: FreeBlock<'_>) {
///     keep(block); // Borrowed data escapes.
/// }
/// ```
///
/// A block that was not cleared completely cannot be passed off as zeroed:
///
/// ```compile_fail,E0308
/// fn zero<'a>(block: FreeBlock<'a>) -> Result<ZeroedBlock<'a>> {
///     match block.zero(NonZero::<u32>::MIN, &mut Tally::default())? {
///         Progress::Partial(block) => Ok(block), // Expected `ZeroedBlock`.
///         Progress::Complete(zeroed) => Ok(zeroed),
///     }
/// }
/// ```
///
/// The proof cannot be forged:
///
/// ```compile_fail,E0451
/// fn zero<'a>(_block: FreeBlock<'a>) -> Result<ZeroedBlock<'a>> {
///     Ok(ZeroedBlock { _isolated: PhantomData }) // The field is private.
/// }
/// ```
///
/// A block that is being zeroed cannot be zeroed from the start again:
///
/// ```compile_fail,E0382
/// fn zero(block: FreeBlock<'_>) {
///     let _ = block.zero(NonZero::<u32>::MIN, &mut Tally::default());
///     let _ = block.zero(NonZero::<u32>::MIN, &mut Tally::default()); // It was moved.
/// }
/// ```
pub(crate) struct FreeBlock<'a> {
    first: NonNull<bindings::page>,
    len: u32,
    zeroed: u32,
    _isolated: PhantomData<&'a mut bindings::page>,
}

/// Proof that a [`FreeBlock`] is entirely zero and marked as zero.
pub(crate) struct ZeroedBlock<'a> {
    _isolated: PhantomData<&'a mut bindings::page>,
}

/// Result of [`FreeBlock::zero`].
pub(crate) enum Progress<'a> {
    /// The rest of the block is still to be zeroed.
    Partial(FreeBlock<'a>),
    /// All of the block is zero.
    Complete(ZeroedBlock<'a>),
}

/// Work done by [`FreeBlock::zero`], in pages.
#[derive(Default)]
pub(crate) struct Tally {
    /// Cleared and marked.
    pub(crate) cleared: u32,
    /// Skipped because they were already zero.
    pub(crate) skipped: u32,
}

/// What is known about the content of a free page.
#[derive(PartialEq)]
enum Content {
    /// Unknown.
    Raw,
    /// This many pages, from this one on, are all zero and marked as zero.
    Zeroed(u32),
    /// The memory has failed and must not be accessed.
    Poisoned,
}

impl<'a> FreeBlock<'a> {
    /// Creates a block of `len` pages that begins with `first`.
    ///
    /// # Safety
    ///
    /// - `first` must point to the first of `len` consecutive `struct page` of one buddy block.
    /// - These pages must be free, and no one else may access their content for the duration of
    ///   `'a`.
    pub(crate) unsafe fn from_raw(first: NonNull<bindings::page>, len: u32) -> Self {
        // INVARIANT: The caller guarantees the first two; the third is trivial for 0 pages.
        Self {
            first,
            len,
            zeroed: 0,
            _isolated: PhantomData,
        }
    }

    /// Processes the next `step` pages: clears and marks those that are raw, and skips those that
    /// are already zero, possibly more than `step`. Adds the work to `tally`, even if it fails.
    ///
    /// Does not allocate. Takes time in proportion to `step`.
    ///
    /// # Errors
    ///
    /// [`EHWPOISON`] if the memory of a page has failed. That page and those after it are not
    /// accessed.
    pub(crate) fn zero(mut self, step: NonZero<u32>, tally: &mut Tally) -> Result<Progress<'a>> {
        let end = self.zeroed.saturating_add(step.get()).min(self.len);

        while self.zeroed < end {
            match self.content(self.zeroed) {
                Content::Zeroed(pages) => {
                    // INVARIANT: The extent says that these pages are zero, and it ends with them
                    // or with the block.
                    let pages = pages.min(self.len - self.zeroed);
                    self.zeroed += pages;
                    tally.skipped += pages;
                }
                Content::Raw => self.zero_run(self.raw_run(end), tally)?,
                Content::Poisoned => return Err(EHWPOISON),
            }
        }

        Ok(if self.zeroed == self.len {
            Progress::Complete(ZeroedBlock {
                _isolated: PhantomData,
            })
        } else {
            Progress::Partial(self)
        })
    }

    /// Returns the page at `index`, which must be below `len`.
    fn page(&self, index: u32) -> *mut bindings::page {
        debug_assert!(index < self.len);
        self.first.as_ptr().wrapping_add(index as usize)
    }

    /// Returns what is known about the page at `index`, which must be below `len`. All pages before
    /// it must be zeroed, or raw pages that were checked.
    fn content(&self, index: u32) -> Content {
        let page = self.page(index);

        // SAFETY: By the type invariants and the requirements, `page` is a valid `struct page` of
        // an isolated block. Its flags are read atomically. Everything else is changed only by the
        // owner of the isolated block, which is us.
        let (poisoned, zeroed) = unsafe {
            (
                bindings::PageHWPoison(page),
                bindings::prezero_zeroed_pages(page),
            )
        };

        if poisoned != 0 {
            Content::Poisoned
        } else if zeroed != 0 {
            Content::Zeroed(zeroed)
        } else {
            Content::Raw
        }
    }

    /// Returns the number of raw pages from `zeroed` on, up to the first that is not raw, or to
    /// `end`, which must be above `zeroed` and not above `len`.
    ///
    /// The caller has seen that the first of them is raw. It is not looked at again: its memory may
    /// fail at any time, and the answer would be different.
    fn raw_run(&self, end: u32) -> NonZero<u32> {
        let mut run = NonZero::<u32>::MIN;
        while self.zeroed + run.get() < end && self.content(self.zeroed + run.get()) == Content::Raw
        {
            run = run.saturating_add(1);
        }
        run
    }

    /// Clears and marks `run` pages from `zeroed` on, which must be raw and part of the block.
    fn zero_run(&mut self, run: NonZero<u32>, tally: &mut Tally) -> Result {
        let page = self.page(self.zeroed);

        // SAFETY: By the type invariants and the requirement on `run`, `page` and the `run - 1`
        // pages after it are free pages of one block whose content only we access.
        let marked = unsafe { bindings::prezero_zero_pages(page, run.get()) };
        tally.cleared += marked;

        // Memory has failed after it was looked at.
        if marked != run.get() {
            return Err(EHWPOISON);
        }

        // INVARIANT: These pages have just been cleared and marked.
        self.zeroed += run.get();
        Ok(())
    }
}

/// Makes the kernel verify from now on that pages marked as zero are zero.
///
/// Sets `prezero.verify`, which stays set when the module is unloaded. Can only be used where
/// sleeping is allowed.
pub(crate) fn verify() {
    // SAFETY: The only requirement is that we may sleep, which does not affect soundness.
    unsafe { bindings::prezero_set_verify(true) }
}
