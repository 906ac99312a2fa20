//! Random lives of a whole sync system (`skerry_testkit::world`): whatever happens, everybody agrees in the
//! end. A failure prints its seed and the steps that are left after shrinking.
//!
//! `SKERRY_SIM_SEED=N` runs one seed, `SKERRY_SIM_RUNS=N` that many from it on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use skerry_testkit::world::{Op, Random, Role, Step, World, steps};

fn run(role: Role, seed: u64, steps: &[Step]) -> Result<(), String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(role, seed);
        for step in steps {
            world.step(step);
        }
        world.settle()?;
        world.check()
    }));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panic: {}", text.unwrap_or("of an unknown kind")))
    })
}

/// Leaves out steps, and operations of writes, as long as the run still fails.
fn shrink(role: Role, seed: u64, mut steps: Vec<Step>) -> (Vec<Step>, String) {
    let mut error = run(role, seed, &steps).expect_err("only failing runs are shrunk");
    let mut size = steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(fewer.len()));
            match run(role, seed, &fewer) {
                Err(found) => (steps, error) = (fewer, found),
                Ok(()) => at += size,
            }
        }
        size /= 2;
    }
    for at in 0..steps.len() {
        while let Step::Write { ops, .. } = &steps[at] {
            let smaller = (0..ops.len()).filter(|_| ops.len() > 1).find_map(|op| {
                let mut fewer = steps.clone();
                if let Step::Write { ops, .. } = &mut fewer[at] {
                    ops.remove(op);
                }
                run(role, seed, &fewer).err().map(|error| (fewer, error))
            });
            match smaller {
                Some((fewer, found)) => (steps, error) = (fewer, found),
                None => break,
            }
        }
    }
    (steps, error)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

#[test]
fn everybody_agrees_after_any_life() {
    let seed = number("SKERRY_SIM_SEED").unwrap_or(1);
    let only_one = std::env::var_os("SKERRY_SIM_SEED").is_some();
    let runs = number("SKERRY_SIM_RUNS").unwrap_or(if only_one { 1 } else { 150 });
    for seed in seed..seed + runs {
        let role = Role::ALL[usize::try_from(seed % 4).unwrap()];
        let mut random = Random(seed);
        let count = 20 + usize::try_from(random.below(80)).unwrap();
        let steps = steps(&mut random, count);
        if run(role, seed, &steps).is_err() {
            let (steps, error) = shrink(role, seed, steps);
            let listed: Vec<String> = steps.iter().map(|step| format!("  {step:?},")).collect();
            panic!(
                "replay with SKERRY_SIM_SEED={seed}; role {role:?}; {} steps left:\n{}\n{error}",
                steps.len(),
                listed.join("\n")
            );
        }
    }
}

#[test]
fn a_planted_difference_is_caught() {
    let mut world = World::new(Role::Open, 1);
    let create = Op::Create { key: 1, level: 3, owner: 0 };
    for step in [
        Step::Subscribe { device: 0, query: 1 },
        Step::Write { device: 0, ops: vec![create], skew_ms: 0 },
    ] {
        world.step(&step);
    }
    world.settle().unwrap();
    world.check().unwrap();
    assert_eq!(world.server_objects().len(), 1);
    // Claims to have asked for something that the object is not.
    world.devices[0].query = 4;
    world.devices[0].query = if world.check().is_err() { 1 } else { 2 };
    world.check().unwrap();
    world.devices[1].query = 1;
    assert!(world.check().unwrap_err().contains("device 1"));
}
