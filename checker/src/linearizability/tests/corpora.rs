//! Recorded histories: the public corpora, and a few of our own.

use std::fs;
use std::path::{Path, PathBuf};

use partita_history::{History, format};

use crate::model::{FailMeaning, Model, NilReads, Options};
use crate::verdict::Verdict;
use crate::{check_with_witness, verify};

/// Each in two forms: `.edn` and `.jsonl`.
const NOTHING_DONE: [&str; 2] = [
    "knossos/cas-register-good-mongodb-v0-ack-rollback-",
    "knossos/cas-register-good-mongodb-v0-ack-rollback-10",
];

/// Where the public corpora are: beside the clone, or where `PARTITA_CORPORA` says.
fn corpora() -> Option<PathBuf> {
    let named = std::env::var_os("PARTITA_CORPORA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|ancestor| ancestor.join("shared/corpora"));
    named
        .into_iter()
        .chain(beside)
        .find(|path| path.join("verdicts.tsv").is_file())
}

fn read(path: &Path) -> History {
    let file = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    format::read(&file[..], None, &format::Options::default())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn judge(path: &Path, model: &Model, options: &Options) -> Verdict {
    let history = read(path);
    let (analysis, witnesses) = check_with_witness(&history, model, options, &|| false).unwrap();
    if analysis.verdict == Verdict::Valid {
        verify(&history, model, options, &witnesses)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    analysis.verdict
}

/// The options of a line of `verdicts.tsv`.
fn parse(line: &str) -> (&'static Model, Options) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut options = Options::default();
    let mut model = None;
    for pair in words.chunks(2) {
        match pair {
            ["--model", name] => model = Model::by_name(name),
            ["--initial", value] => options.initial = value.parse::<i64>().unwrap().into(),
            ["--fail", "observed"] => options.fail = FailMeaning::Observed,
            ["--fail", "dropped"] => options.fail = FailMeaning::Dropped,
            ["--nil-reads", "any"] => options.nil_reads = NilReads::Any,
            other => panic!("unknown option {other:?}"),
        }
    }
    (model.expect("a model"), options)
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn the_public_corpora_get_their_verdicts() {
    let Some(corpora) = corpora() else {
        eprintln!("SKIPPED: no shared/corpora beside the clone, and PARTITA_CORPORA is not set");
        return;
    };
    let verdicts = fs::read_to_string(corpora.join("verdicts.tsv")).unwrap();
    let mut judged = 0;
    for line in verdicts.lines().filter(|line| !line.starts_with('#')) {
        let [file, options, verdict] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not three columns: {line}");
        };
        let (model, options) = parse(options);
        let found = judge(&corpora.join(file), model, &options);
        // Two of the histories hold no client's operation at all: their publishers call that valid, we don't.
        let (name, _form) = file.rsplit_once('.').expect("an extension");
        let expected = if NOTHING_DONE.contains(&name) {
            "not exercised"
        } else {
            verdict
        };
        assert_eq!(found.to_string(), expected, "{line}");
        judged += 1;
    }
    assert!(judged >= 280, "only {judged} histories");
}

#[test]
fn our_own_recorded_histories_get_their_verdicts() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    for model in crate::model::ALL {
        for (folder, verdict) in [("valid", Verdict::Valid), ("invalid", Verdict::Invalid)] {
            let folder = testdata.join(model.name).join(folder);
            let mut files: Vec<PathBuf> = fs::read_dir(&folder)
                .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
                .map(|entry| entry.unwrap().path())
                .collect();
            files.sort();
            assert!(!files.is_empty(), "{} is empty", folder.display());
            for file in files {
                let found = judge(&file, model, &Options::default());
                assert_eq!(found, verdict, "{}", file.display());
            }
        }
    }
}
