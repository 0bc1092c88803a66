// SPDX-License-Identifier: GPL-2.0

//! KUnit suites of zero_page, run when this module is loaded.
//!
//! They register reporters of their own and check real pages, so zeroing by `zero_page.ko` must be
//! disabled, and they need some free memory. Other tasks allocate and free pages meanwhile. A test
//! whose pages were allocated by others starts over, see [`holds`]. A failed assertion ends the
//! thread without running destructors, so nothing may be registered or allocated at an assertion.

use kernel::{
    bindings,
    fmt::Display,
    prelude::*,
    str::{
        BStr,
        CString, //
    },
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    }, //
};

use crate::{
    abstractions::{
        page::{
            FreeBlock,
            Tally,
            ZeroedBlock, //
        },
        page_reporting::{
            Operations,
            Options,
            Registration, //
        }, //
    },
    config::{
        BatchSize,
        DelayMillisecs,
        Enabled,
        Knob,
        MaxZeroed,
        Order,
        Value,
        Verify, //
    },
    kunit_pages::{
        memory,
        Block,
        Frames,
        Want, //
    },
    statistics::Statistics,
    zeroer::Zeroer, //
};

#[expect(
    dead_code,
    reason = "what makes files is tested in a guest, by its users"
)]
#[path = "../../rust/abstractions.rs"]
mod abstractions;
#[expect(
    unused,
    reason = "the settings are made of the knobs, which are tested"
)]
#[path = "../../rust/config.rs"]
mod config;
mod kunit_pages;
#[expect(
    dead_code,
    reason = "what makes files is tested in a guest, by its users"
)]
#[path = "../../rust/statistics.rs"]
mod statistics;
#[path = "../../rust/zeroer.rs"]
mod zeroer;

module! {
    type: ZeroPageTests,
    name: "zero_page_kunit",
    authors: ["The zero_page authors"],
    description: "KUnit suites of zero_page",
    license: "GPL",
}

struct ZeroPageTests;

impl kernel::Module for ZeroPageTests {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

/// The largest order.
const MAX_ORDER: u32 = bindings::MAX_PAGE_ORDER;

/// Orders that cover every path through the allocator: those on the per-CPU lists, one between
/// those and the order of a huge page, and the largest.
const ORDERS: [u32; 4] = [0, 3, 5, MAX_ORDER];

/// How often a test starts over when others have taken its pages.
const ATTEMPTS: usize = 20;

/// Calls `attempt` until it returns whether something holds; [`EAGAIN`] means that it is unknown.
fn holds(mut attempt: impl FnMut() -> Result<bool>) -> bool {
    for _ in 0..ATTEMPTS {
        match attempt() {
            Err(EAGAIN) => fsleep(Delta::from_millis(20)),
            Err(error) => {
                pr_err!("test failed with {error:?}\n");
                return false;
            }
            Ok(answer) => return answer,
        }
    }
    pr_err!("test could not tell in {ATTEMPTS} attempts\n");
    false
}

/// Calls `attempt` several times until it returns whether something holds in nearly all of them.
///
/// For what others may spoil without a trace: [`EAGAIN`] and `false` mean the same here.
fn mostly_holds(attempt: impl Fn() -> Result<bool>) -> bool {
    const ATTEMPTS: usize = 8;
    const SPOILT: usize = 2;

    let held = (0..ATTEMPTS).filter(|_| attempt() == Ok(true)).count();
    if held + SPOILT < ATTEMPTS {
        pr_err!("test held only {held} of {ATTEMPTS} times\n");
    }
    held + SPOILT >= ATTEMPTS
}

/// Waits for `condition` to become true, for up to 20 seconds.
fn wait_for(condition: impl Fn() -> bool) -> bool {
    (0..2000).any(|_| {
        condition() || {
            fsleep(Delta::from_millis(10));
            false
        }
    })
}

/// Registers a reporter of blocks of at least `order`, to be called at once.
fn register<T: Operations>(ops: T, order: u32) -> Result<Pin<KBox<Registration<T>>>> {
    KBox::pin_init(Registration::new(ops, at_once(order)), GFP_KERNEL)
}

/// Returns the real reporter.
fn zeroer() -> Result<Zeroer> {
    let statistics = Arc::new(Statistics::new(), GFP_KERNEL)?;
    Ok(Zeroer { statistics })
}

/// Registers the real reporter, to be called at once with blocks of at least `order`.
fn register_zeroer(order: u32) -> Result<Pin<KBox<Registration<Zeroer>>>> {
    register(zeroer()?, order)
}

/// Returns options that have blocks of at least `order` reported without delay.
fn at_once(order: u32) -> Options {
    Options {
        order,
        batch_size: 0,
        delay_ms: 0,
        max_pages: usize::MAX,
    }
}

/// A free block that stays a block of its own.
struct Lone {
    frames: Frames,
    /// Held, so that the allocator has nothing to merge the free block with.
    _buddy: Option<Block>,
}

impl Lone {
    /// Creates a free block of `order` that is not zero, with no reporter registered.
    ///
    /// Blocks of some orders are freed to a per-CPU list, which the worker does not process. When
    /// the list exceeds an eighth of the memory at most, the oldest blocks are moved to the free
    /// lists. Therefore this frees many blocks. The block of interest is in the middle: the blocks
    /// freed after it cause it to be moved, and those freed before it are behind it in the
    /// allocator, which keeps the last ones in reserve.
    fn raw(order: u32) -> Result<Self> {
        let mut blocks = KVVec::new();
        for _ in 0..(memory() / 4 + 8192) >> order {
            blocks.push(Block::new(order, Want::Any)?, GFP_KERNEL)?;
        }
        let middle = blocks.len() / 2;

        let (mut block, buddy) = if order == MAX_ORDER {
            (blocks.remove(middle).map_err(|_| EAGAIN)?, None)
        } else {
            let buddies = |pair: &[Block]| pair[0].frames().is_buddy_of(pair[1].frames());
            let found = blocks[middle..]
                .windows(2)
                .position(buddies)
                .ok_or(EAGAIN)?;
            let buddy = blocks.remove(middle + found + 1);
            (
                blocks.remove(middle + found).map_err(|_| EAGAIN)?,
                buddy.ok(),
            )
        };
        let frames = block.frames();
        block.fill();
        blocks.truncate(middle);
        drop(block);
        drop(blocks);

        if !frames.is_head_of_free_block() {
            return Err(EAGAIN);
        }
        Ok(Self {
            frames,
            _buddy: buddy,
        })
    }

    /// Creates a free block of `order` and lets the real reporter zero it.
    fn zeroed(order: u32) -> Result<Self> {
        let lone = Self::raw(order)?;
        let registration = register_zeroer(0)?;
        let outcome = lone.wait_for_marks();
        drop(registration);
        outcome.map(|()| lone)
    }

    /// Waits until all pages are marked; [`ETIMEDOUT`] if they stay free but are not marked.
    fn wait_for_marks(&self) -> Result {
        if wait_for(|| self.frames.marked() == self.frames.len()) {
            Ok(())
        } else if self.frames.is_head_of_free_block() {
            Err(ETIMEDOUT)
        } else {
            Err(EAGAIN)
        }
    }

    /// Allocates blocks of `order` until one of them is part of this. Returns all of them, that one
    /// last.
    fn allocate(&self, order: u32, want: Want) -> Result<KVVec<Block>> {
        let mut blocks = KVVec::new();
        for _ in 0..memory() >> order {
            let Ok(block) = Block::new(order, want) else {
                break;
            };
            let found = self.frames.contains(block.frames());
            blocks.push(block, GFP_KERNEL)?;
            if found {
                return Ok(blocks);
            }
        }
        Err(EAGAIN)
    }

    /// Creates a zeroed block and allocates one half of it, which is the last block returned.
    fn half_allocated() -> Result<(Self, KVVec<Block>)> {
        let lone = Self::zeroed(5)?;
        let blocks = lone.allocate(4, Want::Any)?;
        Ok((lone, blocks))
    }
}

/// Number of calls of [`Refuser`].
static REFUSED: Atomic<u32> = Atomic::new(0);

/// A reporter that always fails.
struct Refuser;

impl Operations for Refuser {
    fn zero<'a>(&self, _block: FreeBlock<'a>) -> Result<ZeroedBlock<'a>> {
        REFUSED.add(1, Relaxed);
        Err(EIO)
    }
}

#[kunit_tests(zero_page_knobs)]
mod knobs {
    use super::*;

    /// Input that no knob accepts.
    const MALFORMED: &[&[u8]] = &[
        b"",
        b"\n",
        b" ",
        b"+1",
        b"-1",
        b"-0",
        b" 1",
        b"1 ",
        b"1\n\n",
        b"\n1",
        b"1\r\n",
        b"0x1",
        b"0b1",
        b"1.0",
        b"1k",
        b"one",
        b"y",
        b"1\0",
        b"\x001",
        b"maximum",
        b"18446744073709551616",
    ];

    /// Whether `value` is formatted like `expected`.
    fn reads(value: impl Display, expected: impl Display) -> Result<bool> {
        let [value, expected] = [fmt!("{value}"), fmt!("{expected}")].map(CString::try_from_fmt);
        Ok(*value? == *expected?)
    }

    fn parses<K: Knob>(input: &[u8], expected: impl Display) -> bool {
        K::parse(BStr::from_bytes(input)).is_ok_and(|value| reads(value, expected) == Ok(true))
    }

    fn refuses<K: Knob>(input: &[u8]) -> bool {
        K::parse(BStr::from_bytes(input)).err() == Some(EINVAL)
    }

    /// Whether the knob accepts exactly 0 to `max` as a load-time parameter.
    fn has_range<K: Knob<Value: Value<Parameter = u32>>>(max: u32) -> bool {
        let takes =
            |value| K::from_parameter(value).is_ok_and(|knob| reads(knob, value) == Ok(true));

        takes(0) && takes(max) && K::from_parameter(max + 1).err() == Some(EINVAL)
    }

    #[test]
    fn enabled_is_0_or_1() {
        assert!(has_range::<Enabled>(1));
        assert!(parses::<Enabled>(b"0", 0) && parses::<Enabled>(b"1", 1));
        assert!(refuses::<Enabled>(b"2"));
    }

    #[test]
    fn verify_is_0_or_1() {
        assert!(has_range::<Verify>(1));
        assert!(refuses::<Verify>(b"2"));
    }

    #[test]
    fn mini_order_ends_at_the_largest_order() {
        assert!(has_range::<Order>(MAX_ORDER));
        assert!(parses::<Order>(b"9", 9));
        assert!(refuses::<Order>(b"4294967295"));
    }

    #[test]
    fn batch_size_ends_below_the_largest_u32() {
        assert!(has_range::<BatchSize>(4294967294));
        assert!(parses::<BatchSize>(b"4294967294", u32::MAX - 1));
        assert!(refuses::<BatchSize>(b"4294967295"));
    }

    #[test]
    fn delay_ends_below_the_largest_u32() {
        assert!(has_range::<DelayMillisecs>(4294967294));
        assert!(parses::<DelayMillisecs>(b"4294967294", u32::MAX - 1));
        assert!(refuses::<DelayMillisecs>(b"4294967295"));
    }

    #[test]
    fn max_zeroed_is_bytes_or_max() {
        for bytes in [0, 4096, 1 << 32, u64::MAX - 1] {
            let taken =
                MaxZeroed::from_parameter(bytes).is_ok_and(|limit| limit.bytes() == Some(bytes));
            assert!(taken);
        }
        assert!(MaxZeroed::from_parameter(u64::MAX).is_ok_and(|limit| limit.bytes().is_none()));
        assert!(parses::<MaxZeroed>(b"18446744073709551615", u64::MAX));
        assert!(parses::<MaxZeroed>(b"max", "max"));
        assert!(refuses::<MaxZeroed>(b"MAX") && refuses::<MaxZeroed>(b"max "));
    }

    #[test]
    fn only_max_zeroed_has_more_than_32_bits() {
        assert!(parses::<MaxZeroed>(b"4294967296", 1u64 << 32));
        assert!(refuses::<Enabled>(b"4294967296"));
        assert!(refuses::<Order>(b"4294967296"));
        assert!(refuses::<BatchSize>(b"4294967296"));
        assert!(refuses::<DelayMillisecs>(b"4294967296"));
    }

    #[test]
    fn one_newline_may_follow() {
        assert!(parses::<Enabled>(b"1\n", 1));
        assert!(parses::<Order>(b"5\n", 5));
        assert!(parses::<BatchSize>(b"67108864\n", 67108864));
        assert!(parses::<DelayMillisecs>(b"1000\n", 1000));
        assert!(parses::<MaxZeroed>(b"1048576\n", 1048576));
        assert!(parses::<MaxZeroed>(b"max\n", "max"));
    }

    #[test]
    fn a_leading_zero_is_just_a_digit() {
        assert!(parses::<Order>(b"010", 10));
        assert!(parses::<BatchSize>(b"0000000000000000123", 123));
    }

    #[test]
    fn malformed_input_is_refused() {
        for input in MALFORMED {
            assert!(refuses::<Enabled>(input));
            assert!(refuses::<Order>(input));
            assert!(refuses::<BatchSize>(input));
            assert!(refuses::<DelayMillisecs>(input));
            assert!(refuses::<MaxZeroed>(input));
            assert!(refuses::<Verify>(input));
        }
    }
}

#[kunit_tests(zero_page_registration)]
mod registration {
    use super::*;

    #[test]
    fn a_second_reporter_is_refused() {
        let first = register_zeroer(0);
        let second = register_zeroer(0).err();
        let first_was_fine = first.is_ok();
        drop(first);

        assert!(first_was_fine);
        assert!(second == Some(EBUSY));
    }

    #[test]
    fn an_order_too_large_is_refused() {
        let too_large = register_zeroer(MAX_ORDER + 1).err();
        let largest = register_zeroer(MAX_ORDER);
        let update = |registration: &Pin<KBox<Registration<_>>>, order| {
            registration.update(at_once(order)).err()
        };
        let updates = largest
            .as_ref()
            .map(|it| [update(it, MAX_ORDER + 1), update(it, 0)]);
        let updates_are_checked = updates == Ok([Some(EINVAL), None]);
        drop(largest);

        assert!(too_large == Some(EINVAL));
        assert!(updates_are_checked);
    }

    #[test]
    fn it_ends_when_dropped() {
        assert!(holds(|| {
            let _something_to_do = Lone::raw(5)?;
            let before = REFUSED.load(Relaxed);
            let registration = register(Refuser, 0)?;
            let called = wait_for(|| REFUSED.load(Relaxed) > before);
            drop(registration);
            let calls = REFUSED.load(Relaxed);
            drop(Block::new(MAX_ORDER, Want::Any)?);
            fsleep(Delta::from_millis(100));
            Ok(called && REFUSED.load(Relaxed) == calls)
        }));
    }

    #[test]
    fn it_can_be_made_again_and_again() {
        let failed = (0..50).filter(|_| register_zeroer(0).is_err()).count();

        assert!(failed == 0);
    }

    #[test]
    fn freeing_a_block_wakes_the_worker() {
        assert!(holds(|| {
            let lone = Lone::raw(5)?;
            let registration = register_zeroer(0)?;
            let outcome = lone.wait_for_marks().and_then(|()| {
                let mut blocks = lone.allocate(5, Want::Any)?;
                blocks.iter_mut().for_each(Block::fill);
                drop(blocks);
                lone.wait_for_marks()
            });
            drop(registration);
            outcome.map(|()| lone.frames.lies() == 0)
        }));
    }

    #[test]
    fn smaller_blocks_are_left_alone_until_the_order_is_changed() {
        assert!(holds(|| {
            let small = Lone::raw(3)?;
            let large = Lone::raw(4)?;
            let registration = register_zeroer(4)?;
            let outcome = large.wait_for_marks().and_then(|()| {
                let early = small.frames.marked();
                registration.update(at_once(0))?;
                small.wait_for_marks().map(|()| early == 0)
            });
            drop(registration);
            outcome
        }));
    }
}

#[kunit_tests(zero_page_failures)]
mod failures {
    use super::*;

    /// Pages of a block of order 5 before the one whose memory fails.
    const INTACT: usize = 20;

    /// The real reporter, but a page of the block that it zeroes has failed.
    struct Failing {
        zeroer: Zeroer,
        frames: Frames,
    }

    /// Calls of [`Failing`] that did not zero all, and why.
    static NOT_ZEROED: Atomic<u32> = Atomic::new(0);
    static POISONED: Atomic<u32> = Atomic::new(0);

    impl Operations for Failing {
        fn zero<'a>(&self, block: FreeBlock<'a>) -> Result<ZeroedBlock<'a>> {
            let _failed = self.frames.fail_while_isolated(INTACT);
            let result = self.zeroer.zero(block);
            if let Err(error) = &result {
                NOT_ZEROED.add(1, Relaxed);
                POISONED.add(u32::from(*error == EHWPOISON), Relaxed);
            }
            result
        }
    }

    /// The real reporter, but every other call fails.
    struct Every2nd {
        zeroer: Zeroer,
        calls: Atomic<u32>,
    }

    impl Operations for Every2nd {
        fn zero<'a>(&self, block: FreeBlock<'a>) -> Result<ZeroedBlock<'a>> {
            if self.calls.fetch_add(1, Relaxed) % 2 == 1 {
                REFUSED.add(1, Relaxed);
                return Err(EIO);
            }
            self.zeroer.zero(block)
        }
    }

    #[test]
    fn pages_before_one_that_failed_are_zeroed() {
        assert!(holds(|| {
            let lone = Lone::raw(5)?;
            let (frames, zeroer) = (lone.frames, zeroer()?);
            let statistics = Arc::clone(&zeroer.statistics);
            let (errors, poisoned) = (NOT_ZEROED.load(Relaxed), POISONED.load(Relaxed));
            let registration = register(Failing { zeroer, frames }, 5)?;
            let failed = wait_for(|| NOT_ZEROED.load(Relaxed) > errors);
            drop(registration);
            if !frames.is_head_of_free_block() {
                return Err(EAGAIN);
            }
            let errors = NOT_ZEROED.load(Relaxed) - errors;
            Ok(failed
                && POISONED.load(Relaxed) - poisoned == errors
                && statistics.blocks_failed.load(Relaxed) == errors.into()
                && frames.marked() == INTACT
                && frames.lies() == 0)
        }));
    }

    #[test]
    fn the_next_pass_zeroes_the_rest() {
        assert!(holds(|| {
            let lone = Lone::raw(5)?;
            let (frames, zeroer) = (lone.frames, zeroer()?);
            let errors = NOT_ZEROED.load(Relaxed);
            let registration = register(Failing { zeroer, frames }, 5)?;
            let failed = wait_for(|| NOT_ZEROED.load(Relaxed) > errors);
            drop(registration);
            let registration = register_zeroer(0)?;
            let outcome = lone.wait_for_marks();
            drop(registration);
            outcome.map(|()| failed && lone.frames.lies() == 0)
        }));
    }

    #[test]
    fn a_batch_that_fails_in_the_middle_is_put_back() {
        assert!(holds(|| {
            let lones = [Lone::raw(5)?, Lone::raw(5)?];
            let before = REFUSED.load(Relaxed);
            let (zeroer, calls) = (zeroer()?, Atomic::new(0));
            let registration = register(Every2nd { zeroer, calls }, 5)?;
            let refused = wait_for(|| REFUSED.load(Relaxed) > before);
            drop(registration);
            let mut lies = 0;
            for frames in lones.iter().map(|lone| lone.frames) {
                if !frames.is_head_of_free_block() {
                    return Err(EAGAIN);
                }
                // All pages are marked, or none.
                lies += frames.marked() % frames.len() + frames.lies();
            }
            let registration = register_zeroer(0)?;
            let outcome = lones.iter().try_for_each(Lone::wait_for_marks);
            drop(registration);
            outcome.map(|()| refused && lies == 0)
        }));
    }

    #[test]
    fn a_limit_of_0_zeroes_nothing_until_it_is_raised() {
        assert!(holds(|| {
            let lone = Lone::raw(5)?;
            let options = Options {
                max_pages: 0,
                ..at_once(0)
            };
            let registration = KBox::pin_init(Registration::new(zeroer()?, options), GFP_KERNEL)?;
            fsleep(Delta::from_millis(200));
            let early = lone.frames.marked();
            registration.update(at_once(0))?;
            let outcome = lone.wait_for_marks();
            drop(registration);
            outcome.map(|()| early == 0)
        }));
    }
}

#[kunit_tests(zero_page_mark)]
mod mark {
    use super::*;

    /// Whether blocks allocated from zeroed memory of `order` have no marks left.
    fn allocation_removes_it(order: u32, want: Want) -> bool {
        holds(|| {
            let blocks = Lone::zeroed(order)?.allocate(order, want)?;
            Ok(blocks.iter().all(|block| block.frames().flagged() == 0))
        })
    }

    /// Returns the halves of `lone`: the last of `blocks` first, then the other one.
    fn halves(lone: &Lone, blocks: &[Block]) -> [Frames; 2] {
        let [low, high] = lone.frames.halves();
        match blocks.last() {
            Some(taken) if taken.frames() == high => [high, low],
            _ => [low, high],
        }
    }

    /// Does not look like chance but is the same in every run: xorshift, as by Marsaglia (2003).
    struct Random(u32);

    impl Random {
        /// Returns a number below `end`.
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 17;
            self.0 ^= self.0 << 5;
            self.0 as usize % end
        }
    }

    /// Whether the mark is `gone` from one half of a block, and on all of the `other`.
    ///
    /// The other half may have been allocated and freed by another task before.
    fn is_kept(gone: Frames, other: Frames) -> bool {
        gone.marked() == 0 && other.marked() == other.len()
    }

    #[test]
    fn the_callback_sets_it() {
        for order in ORDERS {
            assert!(holds(|| {
                let lone = Lone::raw(order)?;
                let before = lone.frames.marked();
                let registration = register_zeroer(0)?;
                let outcome = lone.wait_for_marks();
                drop(registration);
                outcome.map(|()| before == 0)
            }));
        }
    }

    #[test]
    fn a_failing_callback_does_not_set_it() {
        assert!(holds(|| {
            let lone = Lone::raw(5)?;
            let before = REFUSED.load(Relaxed);
            let registration = register(Refuser, 0)?;
            let called = wait_for(|| REFUSED.load(Relaxed) > before);
            drop(registration);
            Ok(called && lone.frames.marked() == 0)
        }));
    }

    #[test]
    fn a_block_that_was_refused_is_not_forgotten() {
        assert!(holds(|| {
            let lone = Lone::raw(5)?;
            let before = REFUSED.load(Relaxed);
            let registration = register(Refuser, 5)?;
            let called = wait_for(|| REFUSED.load(Relaxed) > before);
            drop(registration);
            let registration = register_zeroer(0)?;
            let outcome = lone.wait_for_marks();
            drop(registration);
            outcome.map(|()| called)
        }));
    }

    #[test]
    fn allocation_without_zeroing_removes_it() {
        for order in ORDERS {
            assert!(allocation_removes_it(order, Want::Any));
        }
    }

    #[test]
    fn allocation_with_zeroing_removes_it() {
        for order in ORDERS {
            assert!(allocation_removes_it(order, Want::Zeros));
        }
    }

    #[test]
    fn it_does_not_come_back_when_freed() {
        for order in ORDERS {
            assert!(holds(|| {
                let lone = Lone::zeroed(order)?;
                drop(lone.allocate(order, Want::Zeros)?);
                Ok(lone.frames.marked() == 0)
            }));
        }
    }

    #[test]
    fn a_split_keeps_it_on_the_free_half() {
        assert!(mostly_holds(|| {
            let (lone, blocks) = Lone::half_allocated()?;
            let [taken, free] = halves(&lone, &blocks);
            Ok(is_kept(taken, free) && taken.flagged() == 0)
        }));
    }

    #[test]
    fn a_merge_keeps_it_on_the_free_half() {
        assert!(mostly_holds(|| {
            let (lone, blocks) = Lone::half_allocated()?;
            let [freed, free] = halves(&lone, &blocks);
            drop(blocks);
            let [low, high] = lone.frames.halves();
            if !low.is_head_of_free_block() || high.is_head_of_free_block() {
                return Err(EAGAIN);
            }
            Ok(is_kept(freed, free))
        }));
    }

    #[test]
    fn pieces_of_partly_zeroed_blocks_are_as_asked_for() {
        const ROUNDS: usize = 4;
        const STEPS: usize = 1024;
        const PIECES: usize = 256;

        let mut random = Random(1);
        let mut blocks = KVec::new();
        let (mut failed, mut flagged, mut dirty, mut lost) = (0, 0, 0, 0);

        for step in 0..ROUNDS * STEPS {
            if step % STEPS == 0 {
                // All free memory between the pieces is zeroed, and becomes dirty from now on.
                let registration = register_zeroer(0);
                failed += usize::from(registration.is_err());
                fsleep(Delta::from_millis(100));
                drop(registration);
            }
            if blocks.len() == PIECES || (random.below(2) == 0 && !blocks.is_empty()) {
                let (chosen, last) = (random.below(blocks.len()), blocks.len() - 1);
                blocks.swap(chosen, last);
                if blocks.pop().is_some_and(|block: Block| !block.is_filled()) {
                    lost += 1;
                }
                continue;
            }
            // Mostly small blocks, so that large ones are split in many ways.
            let largest = random.below(1 + MAX_ORDER as usize);
            let order = random.below(1 + largest) as u32;
            let want = [Want::Any, Want::Zeros][random.below(2)];
            let Ok(mut block) = Block::new(order, want) else {
                continue;
            };
            flagged += block.frames().flagged();
            if matches!(want, Want::Zeros) && !block.frames().is_zero() {
                dirty += 1;
            }
            block.fill();
            // If there is no memory for it, the block is freed.
            let _ = blocks.push(block, GFP_KERNEL);
        }

        drop(blocks);
        assert_eq!((failed, flagged, dirty, lost), (0, 0, 0, 0));
    }

    #[test]
    fn the_next_pass_completes_a_merged_block() {
        assert!(holds(|| {
            let (lone, mut blocks) = Lone::half_allocated()?;
            blocks.iter_mut().for_each(Block::fill);
            drop(blocks);
            let registration = register_zeroer(0)?;
            let outcome = lone.wait_for_marks();
            drop(registration);
            outcome.map(|()| lone.frames.lies() == 0)
        }));
    }
}

#[kunit_tests(zero_page_content)]
mod content {
    use super::*;

    #[test]
    fn free_blocks_of_every_order_are_zero() {
        for order in 0..=MAX_ORDER {
            assert!(holds(|| {
                let lone = Lone::zeroed(order)?;
                let lies = lone.frames.lies();
                // If it is still marked, the block that was checked was zeroed.
                if lone.frames.marked() != lone.frames.len() {
                    return Err(EAGAIN);
                }
                Ok(lies == 0)
            }));
        }
    }

    #[test]
    fn blocks_allocated_as_zero_of_every_order_are_zero() {
        for order in 0..=MAX_ORDER {
            assert!(holds(|| {
                let blocks = Lone::zeroed(order)?.allocate(order, Want::Zeros)?;
                Ok(blocks.iter().all(|block| block.frames().is_zero()))
            }));
        }
    }

    #[test]
    fn a_block_allocated_as_zero_that_was_half_zeroed_is_zero() {
        assert!(holds(|| {
            let (lone, mut blocks) = Lone::half_allocated()?;
            blocks.iter_mut().for_each(Block::fill);
            drop(blocks);
            let marked = lone.frames.marked();
            let blocks = lone.allocate(5, Want::Zeros)?;
            if marked != lone.frames.len() / 2 {
                return Err(EAGAIN);
            }
            Ok(blocks.iter().all(|block| block.frames().is_zero()))
        }));
    }
}

#[kunit_tests(zero_page_statistics)]
mod counted {
    use super::*;

    /// Number of blocks of 32 pages for which [`HalfCounter`] counted half as skipped.
    static HALVES: Atomic<u32> = Atomic::new(0);

    /// The real reporter, which also checks what is counted for each block.
    struct HalfCounter(Zeroer);

    impl Operations for HalfCounter {
        fn zero<'a>(&self, block: FreeBlock<'a>) -> Result<ZeroedBlock<'a>> {
            let before = pages(&self.0.statistics);
            let result = self.0.zero(block);
            let after = pages(&self.0.statistics);
            if (after.0 - before.0, after.1 - before.1) == (16, 16) {
                HALVES.add(1, Relaxed);
            }
            result
        }
    }

    /// Returns how many pages are counted as cleared, and as skipped.
    fn pages(statistics: &Statistics) -> (u64, u64) {
        (
            statistics.pages_cleared.load(Relaxed),
            statistics.pages_skipped.load(Relaxed),
        )
    }

    /// Returns what the real reporter counts until `lone` is zeroed, and maybe for a bit longer.
    fn count(lone: &Lone, order: u32) -> Result<Arc<Statistics>> {
        let statistics = Arc::new(Statistics::new(), GFP_KERNEL)?;
        let zeroer = Zeroer {
            statistics: Arc::clone(&statistics),
        };
        let registration = register(zeroer, order)?;
        let outcome = lone.wait_for_marks();
        drop(registration);
        outcome.map(|()| statistics)
    }

    #[test]
    fn every_page_of_a_block_is_counted_once() {
        assert!(holds(|| {
            let statistics = count(&Lone::raw(MAX_ORDER)?, MAX_ORDER)?;
            let (cleared, skipped) = pages(&statistics);
            // Of no other size than the largest.
            let blocks = statistics.blocks_reported.load(Relaxed);
            Ok(cleared >= 1 << MAX_ORDER && cleared + skipped == blocks << MAX_ORDER)
        }));
    }

    #[test]
    fn the_zeroed_half_of_a_block_is_skipped() {
        assert!(holds(|| {
            let (lone, mut blocks) = Lone::half_allocated()?;
            blocks.iter_mut().for_each(Block::fill);
            drop(blocks);
            if lone.frames.marked() != lone.frames.len() / 2 {
                return Err(EAGAIN);
            }
            let statistics = Arc::new(Statistics::new(), GFP_KERNEL)?;
            let before = HALVES.load(Relaxed);
            let registration = register(HalfCounter(Zeroer { statistics }), 5)?;
            let outcome = lone.wait_for_marks();
            drop(registration);
            outcome.map(|()| HALVES.load(Relaxed) > before)
        }));
    }

    #[test]
    fn time_is_counted_and_no_more_than_has_passed() {
        assert!(holds(|| {
            let lone = Lone::raw(MAX_ORDER)?;
            let start = Instant::<Monotonic>::now();
            let statistics = count(&lone, 0)?;
            let passed = start.elapsed().as_nanos() as u64;
            let counted = statistics.nanoseconds_clearing.load(Relaxed);
            Ok(counted > 0 && counted <= passed)
        }));
    }

    #[test]
    fn what_was_done_of_a_failed_block_is_counted() {
        let statistics = Statistics::new();
        let tally = Tally {
            cleared: 3,
            skipped: 2,
        };
        statistics.count(&tally, true, Delta::from_nanos(7));
        let failed = statistics.blocks_failed.load(Relaxed);
        statistics.count(&tally, false, Delta::from_nanos(70));

        assert!(failed == 1 && statistics.blocks_failed.load(Relaxed) == 1);
        assert!(statistics.blocks_reported.load(Relaxed) == 2);
        assert!(pages(&statistics) == (6, 4));
        assert!(statistics.nanoseconds_clearing.load(Relaxed) == 77);
    }
}
