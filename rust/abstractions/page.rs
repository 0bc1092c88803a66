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

/// A block of free pages that has been taken out of the page allocator to be zeroed.
///
/// It lives as long as the pages are out of the allocator, and the only way to a [`ZeroedBlock`]
/// is to clear it.
///
/// # Invariants
///
/// - `first` points to the first of `len` consecutive `struct page` of one buddy block.
/// - These pages are free, and for the duration of `'a` nobody else touches their content.
/// - The first `zeroed` of them, at most `len`, are entirely zero and marked so, and nothing that
///   was known before began among them and goes on behind them.
///
/// # Examples
///
/// What does not compile; `tests/misuse` makes sure of that.
///
/// A block cannot be kept for later, when the allocator may have given its pages away:
///
/// ```compile_fail,E0521
/// fn keep(block: FreeBlock<'static>) {
///     // Puts it where a later call finds it.
/// }
///
/// fn zero(block: FreeBlock<'_>) {
///     keep(block); // Borrowed data escapes.
/// }
/// ```
///
/// A block that was not cleared to its end cannot be passed off as zeroed:
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
/// Nor can the proof be made up:
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

/// Proof that a [`FreeBlock`] is entirely zero and marked so.
pub(crate) struct ZeroedBlock<'a> {
    _isolated: PhantomData<&'a mut bindings::page>,
}

/// What [`FreeBlock::zero`] has come to.
pub(crate) enum Progress<'a> {
    /// The rest of the block is still to be zeroed.
    Partial(FreeBlock<'a>),
    /// All of the block is zero.
    Complete(ZeroedBlock<'a>),
}

/// What [`FreeBlock::zero`] has done, in pages.
#[derive(Default)]
pub(crate) struct Tally {
    /// Cleared and marked.
    pub(crate) cleared: u32,
    /// Left as they were, being zeroed already.
    pub(crate) skipped: u32,
}

/// What is known of the content of a free page.
#[derive(PartialEq)]
enum Content {
    /// Unknown.
    Raw,
    /// All zero, and marked so, like so many pages from this one on.
    Zeroed(u32),
    /// The memory has failed and must not be touched.
    Poisoned,
}

impl<'a> FreeBlock<'a> {
    /// Makes a block of `len` pages, beginning with `first`.
    ///
    /// # Safety
    ///
    /// - `first` must point to the first of `len` consecutive `struct page` of one buddy block.
    /// - These pages must be free, and no one else may touch their content for the duration of
    ///   `'a`.
    pub(crate) unsafe fn from_raw(first: NonNull<bindings::page>, len: u32) -> Self {
        // INVARIANT: The first two are the caller's promises, and of the first 0 pages anything
        // holds.
        Self {
            first,
            len,
            zeroed: 0,
            _isolated: PhantomData,
        }
    }

    /// Goes on by `step` pages: clears and marks those that are not zeroed already, and skips the
    /// others, which may be more than that. Adds to `tally` what it did, also if it fails.
    ///
    /// Does not allocate. Takes time in proportion to `step`.
    ///
    /// # Errors
    ///
    /// [`EHWPOISON`] if the memory of a page has failed. Neither that page nor those after it are
    /// touched.
    pub(crate) fn zero(mut self, step: NonZero<u32>, tally: &mut Tally) -> Result<Progress<'a>> {
        let end = self.zeroed.saturating_add(step.get()).min(self.len);

        while self.zeroed < end {
            match self.content(self.zeroed) {
                Content::Zeroed(pages) => {
                    // INVARIANT: These pages are zeroed according to the mark, which goes no
                    // further than they or the block.
                    let pages = pages.min(self.len - self.zeroed);
                    self.zeroed += pages;
                    tally.skipped += pages;
                }
                Content::Raw => self.zero_raw_run(end, tally)?,
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

    /// Returns what is known of the page at `index`, which must be below `len`, and before which
    /// there are only zeroed pages and raw ones that were looked at.
    fn content(&self, index: u32) -> Content {
        let page = self.page(index);

        // SAFETY: By the type invariants and the requirements, `page` is a valid `struct page` of
        // an isolated block. Its flags are read atomically; of the rest, only those change who
        // have isolated it, which is us.
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

    /// Clears and marks the raw pages from `zeroed` up to the first that is not raw, or to `end`,
    /// which must not be above `len`.
    fn zero_raw_run(&mut self, end: u32, tally: &mut Tally) -> Result {
        let mut run = 0;
        while self.zeroed + run < end && self.content(self.zeroed + run) == Content::Raw {
            run += 1;
        }
        let page = self.page(self.zeroed);

        // SAFETY: By the type invariants and the requirement on `end`, `page` and the `run - 1`
        // pages after it are free pages of one block whose content only we touch. All of their
        // bytes are cleared before they are marked.
        let marked = unsafe {
            bindings::clear_highpages_kasan_tagged(page, run as c_int);
            bindings::prezero_mark_pages(page, run)
        };
        tally.cleared += marked;

        // Memory failed after we looked.
        if marked != run {
            return Err(EHWPOISON);
        }

        // INVARIANT: These pages were cleared and marked just now.
        self.zeroed += run;
        Ok(())
    }
}

/// Has the kernel look, from now on, whether pages that are said to be zero are.
///
/// Sets `prezero.verify`, which stays set when the module goes. Can only be used where sleeping
/// is allowed.
pub(crate) fn verify() {
    // SAFETY: There are no requirements but that we may sleep, which is not a matter of soundness.
    unsafe { bindings::prezero_set_verify(true) }
}
