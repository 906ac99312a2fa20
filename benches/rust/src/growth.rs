//! A table of times that grow with a size, with the exponent of growth from row to row.

use std::time::Duration;

use crate::report::{Table, ms};

/// Below this, milliseconds have three decimals.
const SHORT: Duration = Duration::from_millis(1);

/// Times of several ways, for one size after another.
#[derive(Debug)]
pub struct Growth {
    table: Table,
    before: Option<(u32, Vec<Duration>)>,
}

impl Growth {
    /// A table of these ways; `size` says what is counted.
    pub fn new(title: &str, size: &str, ways: &[&str]) -> Self {
        let mut columns = vec![size.to_owned()];
        for way in ways {
            columns.extend([format!("{way}, ms"), "\u{b5}s each".to_owned(), "N^".to_owned()]);
        }
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        Self { table: Table::new(title, &columns), before: None }
    }

    /// The times for a size that is above the last one.
    pub fn row(&mut self, size: u32, took: &[Duration]) {
        let mut row = vec![size.to_string()];
        for (way, time) in took.iter().enumerate() {
            row.push(if *time < SHORT {
                format!("{:.3}", time.as_secs_f64() * 1e3)
            } else {
                ms(*time)
            });
            row.push(format!("{:.2}", time.as_secs_f64() * 1e6 / f64::from(size)));
            row.push(self.before.as_ref().map_or(String::new(), |(smaller, times)| {
                let growth = time.as_secs_f64() / times[way].as_secs_f64();
                format!("{:.2}", growth.ln() / (f64::from(size) / f64::from(*smaller)).ln())
            }));
        }
        self.table.row(row);
        self.before = Some((size, took.to_vec()));
    }

    /// Prints the table.
    pub fn print(&self) {
        self.table.print();
    }
}
