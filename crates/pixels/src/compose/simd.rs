//! One body, compiled twice: for every machine, and for those with AVX2, chosen when called.
//!
//! Used by the row functions of this folder. The compiler vectorises both; the portable one is the truth that the other
//! is tested against. What the compiler can't vectorise well is written by hand in `sampler`.

/// Makes a module of the function's name with `portable`, and `best`, which picks what the machine can do.
macro_rules! dispatched {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $of:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        pub(crate) mod $name {
            use super::*;

            /// The truth, on any machine.
            #[inline(always)]
            pub(crate) fn portable($($arg: $of),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn wide($($arg: $of),*) {
                portable($($arg),*);
            }

            /// As fast as this machine can.
            #[expect(unsafe_code, reason = "a function for AVX2 is called after asking for AVX2")]
            #[inline]
            pub(crate) fn best($($arg: $of),*) {
                #[cfg(target_arch = "x86_64")]
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the machine has AVX2, which is all the function asks for.
                    unsafe { wide($($arg),*) };
                    return;
                }
                portable($($arg),*);
            }
        }
    };
}

pub(crate) use dispatched;
