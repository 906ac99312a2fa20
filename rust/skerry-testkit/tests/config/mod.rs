//! How the property tests run: failures are kept beside the test file and replayed first.

use proptest::test_runner::{Config, FileFailurePersistence};

/// That many cases; `PROPTEST_CASES` asks for more in the whole run, `PROPTEST_RNG_SEED` repeats
/// one. A failure prints its seed.
pub(crate) fn cases(cases: u32) -> Config {
    let from_environment = Config::default();
    let cases =
        if std::env::var_os("PROPTEST_CASES").is_some() { from_environment.cases } else { cases };
    let file = FileFailurePersistence::WithSource("regressions");
    Config { cases, failure_persistence: Some(Box::new(file)), ..from_environment }
}
