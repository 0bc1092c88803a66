// SPDX-License-Identifier: GPL-2.0

//! Whether there is a machine below this one.

/// Whether the processor says that it is virtual.
///
/// Only x86-64 processors are asked: bit 31 of ECX in leaf 1 of CPUID is 0 on hardware, and set
/// by hypervisors.
pub(crate) fn present() -> bool {
    #[cfg(CONFIG_X86_64)]
    {
        const HYPERVISOR: u32 = 1 << 31;

        // SAFETY: All x86-64 processors have CPUID, and leaf 1 of it.
        #[allow(unused_unsafe, reason = "safe in the core of newer compilers")]
        let leaf = unsafe { core::arch::x86_64::__cpuid(1) };

        leaf.ecx & HYPERVISOR != 0
    }
    #[cfg(not(CONFIG_X86_64))]
    false
}
