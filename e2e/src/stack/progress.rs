//! Telling a person what is going on, without deciding where it is shown.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where progress lines go: the demo prints them, tests drop them.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(&str) + Send + Sync>);

impl Progress {
    /// Hands every line to `show`.
    pub fn new(show: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(show))
    }

    /// Shows nothing.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// One line on stderr each.
    pub fn stderr() -> Self {
        Self::new(|line| eprintln!("{line}"))
    }

    /// Shows one line.
    pub fn line(&self, line: impl AsRef<str>) {
        (self.0)(line.as_ref());
    }

    /// Runs `work` and repeats `what` with the seconds gone by, so that minutes of building do not look like a hang.
    pub async fn during<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        self.line(what);
        let mut tick = tokio::time::interval(Duration::from_secs(10));
        tick.tick().await;
        tokio::pin!(work);
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                _ = tick.tick() => self.line(format!("{what}: {} s so far", begun.elapsed().as_secs())),
            }
        };
        self.line(format!("{what}: {:.1} s", begun.elapsed().as_secs_f64()));
        result
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
