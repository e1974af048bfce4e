//! What the tests of this folder share: noise that is the same every time.

/// Bytes that look random (a linear congruential generator's upper bits).
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0.to_be_bytes()[0]
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    /// Samples and their alphas, none above its alpha; runs of nothing and of opaque ones among them.
    pub(crate) fn premultiplied(&mut self, count: usize) -> (Vec<u8>, Vec<u8>) {
        let mut alpha = self.bytes(count);
        for run in alpha.chunks_mut(40) {
            match self.byte() % 4 {
                0 => run.fill(0),
                1 => run.fill(255),
                _ => {}
            }
        }
        let samples = alpha.iter().map(|alpha| self.byte().min(*alpha)).collect();
        (samples, alpha)
    }
}
