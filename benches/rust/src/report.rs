//! Results as a table on standard output, and the clocks that benches read.

use std::cell::Cell;
use std::time::{Duration, Instant};

use criterion::Criterion;

/// Criterion, in a hurry: each case takes a few seconds.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}

/// A table that is printed when it is complete.
#[derive(Debug)]
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(title: &str, columns: &[&str]) -> Self {
        let head = columns.iter().map(|&column| column.to_owned()).collect();
        Self { title: title.to_owned(), rows: vec![head] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it: the first column to the left, numbers to the right.
    #[allow(clippy::print_stdout, reason = "the table is what a bench is run for")]
    pub fn print(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &'_ Vec<String>, at: usize| row.get(at).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|at| self.rows.iter().map(|row| cell(row, at).chars().count()).max().unwrap_or(0))
            .collect();
        println!("\n{}", self.title);
        for row in &self.rows {
            let cells = widths.iter().enumerate().map(|(at, &width)| match at {
                0 => format!("{:<width$}", cell(row, at)),
                _ => format!("{:>width$}", cell(row, at)),
            });
            println!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
}

/// The shortest of several measurements.
#[derive(Debug)]
pub struct Best(Cell<Duration>);

impl Default for Best {
    fn default() -> Self {
        Self(Cell::new(Duration::MAX))
    }
}

impl Best {
    /// The shortest.
    pub fn get(&self) -> Duration {
        self.0.get()
    }

    /// Measures `work` as often as criterion wants, each time on what `prepare` makes, off the clock.
    pub fn measure<I, O>(
        &self,
        times: u64,
        mut prepare: impl FnMut() -> I,
        mut work: impl FnMut(I) -> O,
    ) -> Duration {
        let mut total = Duration::ZERO;
        for _ in 0..times {
            let input = prepare();
            let (took, output) = timed(|| work(std::hint::black_box(input)));
            drop(std::hint::black_box(output));
            self.0.set(self.0.get().min(took));
            total += took;
        }
        total
    }
}

/// How long `work` takes, and what it gives.
pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let output = work();
    (start.elapsed(), output)
}

/// How long copying takes, as a measure of the machine: bytes per second of copying 16 MiB, best of 20.
pub fn copied_bytes_per_second() -> f64 {
    const SIZE: u32 = 16 << 20;
    let from = vec![7_u8; usize::try_from(SIZE).expect("16 MiB")];
    let mut to = vec![0_u8; from.len()];
    let best = Best::default();
    best.measure(
        20,
        || (),
        |()| std::hint::black_box(&mut to).copy_from_slice(std::hint::black_box(&from)),
    );
    f64::from(SIZE) / best.get().as_secs_f64()
}

/// Milliseconds with one decimal.
pub fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// `count` things in `time`, per second.
pub fn per_second(count: u32, time: Duration) -> String {
    grouped(f64::from(count) / time.as_secs_f64())
}

/// A number without decimals, its thousands set apart.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for at in (first..digits.len()).step_by(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&digits[at..at + 3]);
    }
    text
}
