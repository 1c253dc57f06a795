//! Clocks that are wrong.
//!
//! What the store promises does not rest on clocks, with one exception: reads under a lease (`consistency=lease`) are
//! right as long as no clock runs faster or slower than `--clock-drift-max-ppm` allows. Nodes are started without it
//! here, and then answer such reads as any others. What a stale read says of its age is measured by the node's clock, and
//! so is as wrong as that.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use quorate_faults::clock::{ClockFault, nanoseconds, true_monotonic};
use quorate_faults::control::Control;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::interposer_layer::InterposerLayer;
use crate::cluster::Cluster;
use crate::cluster::layer::Layer;
use crate::error::HarnessError;
use crate::nemesis::whom::Whom;
use crate::nemesis::{Nemesis, Sphere, Strike};

const CHOICES: [Whom; 4] = [Whom::Leader, Whom::Minority, Whom::Majority, Whom::All];
/// A node looks at its clock many times a second.
const EFFECT_LIMIT: Duration = Duration::from_secs(1);
/// By how many millionths clocks are wrong: what bad quartz does, what no quartz does, and nonsense.
const RATES_PPM: [i64; 6] = [-500_000, -50_000, -500, 500, 50_000, 1_000_000];
/// By how many seconds wall clocks jump.
const JUMPS_SECONDS: [u64; 4] = [1, 10, 60, 600];

fn wrong_times(control: &Control) -> u64 {
    control.wrong_times.load(Ordering::Relaxed)
}

/// Clocks run too fast or too slowly, monotonic and wall clocks alike.
pub struct ClockRate {
    layer: Arc<InterposerLayer>,
    wrong: Vec<u8>,
}

impl ClockRate {
    /// Over the interposer.
    pub fn new(layer: Arc<InterposerLayer>) -> Self {
        Self { layer, wrong: Vec::new() }
    }
}

fn set_rate(control: &Control, rate_ppm: i64) {
    let fault = control.clock().unwrap_or_default();
    control.set_clock(fault.with_rate(true_monotonic(), rate_ppm));
}

#[async_trait]
impl Nemesis for ClockRate {
    fn name(&self) -> &'static str {
        "clock-rate"
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Clocks]
    }

    fn description(&self) -> &'static str {
        "lets clocks run at half to twice the speed of time"
    }

    fn layers(&self) -> Vec<Arc<dyn Layer>> {
        vec![self.layer.clone()]
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let whom = CHOICES[random.random_range(0..CHOICES.len())];
        let nodes = whom.choose(cluster, random).await;
        let rate = RATES_PPM[random.random_range(0..RATES_PPM.len())];
        self.wrong.extend(&nodes);
        let begin = |control: &Control| set_rate(control, rate);
        let state = self.layer.await_effect(&nodes, wrong_times, begin, EFFECT_LIMIT).await?;
        let percent = rate as f64 / 10_000.0;
        let action = format!("clocks run by {percent:+} % wrong at {}", whom.describe(&nodes));
        Ok(Strike { action, nodes, state })
    }

    async fn heal(&mut self, _cluster: &Cluster) -> Result<(), HarnessError> {
        // The clock keeps what it has got wrong, as one does that nobody sets.
        for node in std::mem::take(&mut self.wrong) {
            set_rate(self.layer.of(node)?.control(), 0);
        }
        Ok(())
    }
}

/// Wall clocks are set forward or back, and right again.
pub struct ClockJump {
    layer: Arc<InterposerLayer>,
    wrong: Vec<u8>,
}

impl ClockJump {
    /// Over the interposer.
    pub fn new(layer: Arc<InterposerLayer>) -> Self {
        Self { layer, wrong: Vec::new() }
    }
}

fn set_wall(control: &Control, wall_ahead: i64) {
    let fault = control.clock().unwrap_or_default();
    control.set_clock(ClockFault { wall_ahead, ..fault });
}

#[async_trait]
impl Nemesis for ClockJump {
    fn name(&self) -> &'static str {
        "clock-jump"
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Clocks]
    }

    fn description(&self) -> &'static str {
        "sets wall clocks forward or back by up to ten minutes, and right again"
    }

    fn layers(&self) -> Vec<Arc<dyn Layer>> {
        vec![self.layer.clone()]
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let whom = CHOICES[random.random_range(0..CHOICES.len())];
        let nodes = whom.choose(cluster, random).await;
        let seconds = JUMPS_SECONDS[random.random_range(0..JUMPS_SECONDS.len())];
        let forward: bool = random.random();
        let jump = nanoseconds(Duration::from_secs(seconds)) * if forward { 1 } else { -1 };
        self.wrong.extend(&nodes);
        let begin = |control: &Control| set_wall(control, jump);
        let state = self.layer.await_effect(&nodes, wrong_times, begin, EFFECT_LIMIT).await?;
        let whereto = if forward { "forward" } else { "back" };
        let action = format!("wall clocks are set {whereto} by {seconds} s at {}", whom.describe(&nodes));
        Ok(Strike { action, nodes, state })
    }

    async fn heal(&mut self, _cluster: &Cluster) -> Result<(), HarnessError> {
        for node in std::mem::take(&mut self.wrong) {
            set_wall(self.layer.of(node)?.control(), 0);
        }
        Ok(())
    }
}
