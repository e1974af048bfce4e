//! A damped spring let go at 0 and drawn to 1, in closed form.
//!
//! m·x″ + c·x′ + k·(x − 1) = 0 with x(0) = 0 and x′(0) = v. The way takes as long as its keyframes say: the time it
//! takes the spring to settle is laid over it, so that the constants give the shape and the keyframes the pace.

/// What is left of the swing when it counts as settled.
const SETTLED: f64 = 0.001;

/// Where it is once `part` (0 to 1) of its settling time has passed. 0 at 0, 1 at 1.
pub(super) fn at(mass: f64, stiffness: f64, damping: f64, velocity: f64, part: f64) -> f64 {
    let spring = Spring::new(mass, stiffness, damping, velocity);
    let end = spring.settling();
    // The rest of the swing is shared out over the way, so that it ends where it should.
    1.0 - spring.away(part * end) + part * spring.away(end)
}

/// Natural frequency, damping ratio, first speed away from rest; by time in units of `1 / w`.
struct Spring {
    ratio: f64,
    speed: f64,
}

impl Spring {
    fn new(mass: f64, stiffness: f64, damping: f64, velocity: f64) -> Self {
        let w = (stiffness / mass).sqrt();
        // A swing that settles only after a thousand turns is a blur: it is damped a little.
        let ratio = (damping / (2.0 * (stiffness * mass).sqrt())).clamp(0.01, 100.0);
        Self { ratio, speed: velocity / w }
    }

    /// 1 − x at `t`.
    fn away(&self, t: f64) -> f64 {
        let (z, v) = (self.ratio, self.speed);
        let square = 1.0 - z * z;
        if square > 1e-6 {
            let wd = square.sqrt();
            (-z * t).exp() * ((wd * t).cos() + (z - v) / wd * (wd * t).sin())
        } else if square < -1e-6 {
            let root = (-square).sqrt();
            let (slow, fast) = (-z + root, -z - root);
            // y = A·e^(slow·t) + B·e^(fast·t) with y(0) = 1 and y′(0) = −v.
            let a = (-v - fast) / (slow - fast);
            a * (slow * t).exp() + (1.0 - a) * (fast * t).exp()
        } else {
            (-t).exp() * (1.0 + (1.0 - v) * t)
        }
    }

    /// When the envelope has fallen to [`SETTLED`].
    fn settling(&self) -> f64 {
        let z = self.ratio;
        let decay = if z < 1.0 { z } else { z - (z * z - 1.0).max(0.0).sqrt() };
        let height = 1.0 + self.speed.abs();
        (height / SETTLED).ln() / decay
    }
}
