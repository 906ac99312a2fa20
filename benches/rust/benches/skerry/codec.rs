//! The codec on 100,000 × (`CreateObject` + 5 `Update`): in one changeset, and in one for each object.
//!
//! The yardstick is the speed at which this machine copies bytes, measured in the same run.

use criterion::Throughput;
use skerry_benches::items::{Names, item};
use skerry_benches::report::{self, Best, Table, copied_bytes_per_second, grouped, ms};
use skerry_model::{
    Changeset, Instruction, ObjectRef, Path, Payload, UpdateSide, Value, decode_changeset,
    encode_changeset,
};

const OBJECTS: u32 = 100_000;
const INSTRUCTIONS: u32 = OBJECTS * 6;

/// Create and five updates: string of ~15 characters, int, double, timestamp, string of 4.
fn instructions(names: &Names, number: u32) -> Vec<Instruction> {
    let mut item = item(number);
    item.name.truncate(15);
    item.owner.truncate(4);
    let object = ObjectRef::new(names.class.clone(), item.key());
    let create = Instruction::CreateObject { object: object.clone() };
    let updates = names.pairs(&item).map(|(field, value): (_, Value)| Instruction::Update {
        path: Path::property(object.clone(), field),
        value: Payload::Value(value),
        side: UpdateSide::IsDefault(false),
    });
    std::iter::once(create).chain(updates).collect()
}

struct Case {
    name: &'static str,
    changesets: Vec<Changeset>,
    encoded: Vec<Vec<u8>>,
}

impl Case {
    fn new(name: &'static str, changesets: Vec<Changeset>) -> Self {
        let encoded = changesets.iter().map(encode).collect();
        Self { name, changesets, encoded }
    }

    fn bytes(&self) -> usize {
        self.encoded.iter().map(Vec::len).sum()
    }
}

fn encode(changeset: &Changeset) -> Vec<u8> {
    encode_changeset(changeset).expect("the changeset is within the limits")
}

pub(crate) fn run() {
    let mut criterion = report::criterion();
    let names = Names::default();
    let groups: Vec<Vec<Instruction>> =
        (0..OBJECTS).map(|number| instructions(&names, number)).collect();
    let small = groups.iter().cloned().map(Changeset::from).collect();
    let large = Changeset::from(groups.concat());
    let cases = [Case::new("one changeset", vec![large]), Case::new("100k changesets of 6", small)];
    let copied = copied_bytes_per_second();
    let columns = ["codec", "bytes", "bytes/instr", "best ms", "M instr/s", "MB/s", "of memcpy"];
    let mut table =
        Table::new(&format!("codec (memcpy: {} MB/s)", grouped(copied / 1e6)), &columns);
    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Elements(INSTRUCTIONS.into()));
    for case in &cases {
        let (encoding, decoding) = (Best::default(), Best::default());
        group.bench_function(format!("encode/{}", case.name), |bencher| {
            bencher.iter_custom(|times| {
                let all =
                    || case.changesets.iter().map(encode).map(|bytes| bytes.len()).sum::<usize>();
                encoding.measure(times, || (), |()| all())
            });
        });
        group.bench_function(format!("decode/{}", case.name), |bencher| {
            bencher.iter_custom(|times| {
                let decode =
                    |bytes: &Vec<u8>| decode_changeset(bytes).expect("it was just encoded");
                let all = || {
                    case.encoded
                        .iter()
                        .map(decode)
                        .map(|found| found.instructions.len())
                        .sum::<usize>()
                };
                decoding.measure(times, || (), |()| all())
            });
        });
        for (what, best) in [("encode", &encoding), ("decode", &decoding)] {
            let (bytes, seconds) = (bytes_f64(case.bytes()), best.get().as_secs_f64());
            table.row([
                format!("{what}, {}", case.name),
                grouped(bytes),
                format!("{:.2}", bytes / f64::from(INSTRUCTIONS)),
                ms(best.get()),
                format!("{:.1}", f64::from(INSTRUCTIONS) / seconds / 1e6),
                format!("{:.0}", bytes / seconds / 1e6),
                format!("{:.1} %", bytes / seconds / copied * 100.0),
            ]);
        }
    }
    group.finish();
    table.print();
}

fn bytes_f64(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).expect("the workload has a few MB"))
}
