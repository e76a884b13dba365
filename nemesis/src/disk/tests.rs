//! The undo log against a model in memory: whatever is done, what is left after a power cut is what was durable.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use partita_generator::{Random, random};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use super::Options;
use super::inode::Inode;
use super::inverse::Place;
use super::rollback::{Extent, roll_back};
use super::volume::Volume;

/// Nothing is written back by age while a test runs.
const FOR_EVER: Options = Options {
    write_back_age: Duration::from_secs(1 << 30),
    memory: 1 << 30,
};

struct Scene {
    folder: tempfile::TempDir,
    volume: Volume,
}

impl Scene {
    fn new(options: Options) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        for name in ["data", "attic"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let volume = Volume::new(&folder.path().join("data"), &folder.path().join("attic"), options).unwrap();
        Scene { folder, volume }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn inode(&self, path: &str) -> Arc<Inode> {
        let names = path.split('/').filter(|name| !name.is_empty());
        names.fold(Arc::clone(&self.volume.root), |directory, name| {
            Arc::new(Inode::at(std::os::fd::AsFd::as_fd(&*directory), OsStr::new(name)).unwrap())
        })
    }

    fn place(&self, path: &str) -> Place {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Place::new(&self.inode(folder), OsStr::new(name))
    }

    fn cut(&self) -> super::Loss {
        self.volume.cut();
        let loss = roll_back(&self.volume, Extent::All);
        assert!(loss.failed.is_empty(), "{:?}", loss.failed);
        self.volume.gate.power_on();
        loss
    }
}

/// All that is in a folder: directories without content, files with theirs.
fn contents(folder: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    fn visit(root: &Path, folder: &Path, found: &mut BTreeMap<String, Option<Vec<u8>>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                found.insert(name, None);
                visit(root, &path, found);
            } else {
                found.insert(name, Some(std::fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = BTreeMap::new();
    visit(folder, folder, &mut found);
    found
}

/// What a file system has now, and what of it a disk has: files by number, names in two trees.
#[derive(Clone, Debug, Default)]
struct Model {
    files: BTreeMap<u64, Vec<u8>>,
    durable_files: BTreeMap<u64, Vec<u8>>,
    names: BTreeMap<String, Option<u64>>,
    durable_names: BTreeMap<String, Option<u64>>,
    next: u64,
}

impl Model {
    fn sync_names(&mut self) {
        self.durable_names = self.names.clone();
    }

    fn sync_file(&mut self, file: u64) {
        self.durable_files.insert(file, self.files[&file].clone());
        self.sync_names();
    }

    fn cut(&mut self) {
        self.names = self.durable_names.clone();
        self.files = self.durable_files.clone();
        // What was made and named durably, but never synced, is empty.
        for file in self.names.values().flatten() {
            self.files.entry(*file).or_default();
        }
        self.durable_files = self.files.clone();
    }

    fn contents(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let content = |file: &Option<u64>| file.map(|file| self.files[&file].clone());
        self.names
            .iter()
            .map(|(name, file)| (name.clone(), content(file)))
            .collect()
    }

    fn some(&self, rng: &mut Random, directory: bool) -> Option<String> {
        let fitting: Vec<&String> = self
            .names
            .iter()
            .filter(|(_, file)| file.is_none() == directory)
            .map(|(name, _)| name)
            .collect();
        fitting.choose(rng).map(|name| (*name).clone())
    }

    fn is_empty(&self, directory: &str) -> bool {
        let within = format!("{directory}/");
        !self.names.keys().any(|name| name.starts_with(&within))
    }
}

/// One random thing, done to both.
fn step(scene: &Scene, model: &mut Model, rng: &mut Random) -> String {
    let volume = &scene.volume;
    let fresh = |model: &Model, rng: &mut Random| {
        let name = format!("f{}", rng.random_range(0..8));
        match model.some(rng, true) {
            Some(directory) if rng.random_bool(0.5) => format!("{directory}/{name}"),
            _ => name,
        }
    };
    match rng.random_range(0..100) {
        0..15 => {
            let path = fresh(model, rng);
            if model.names.contains_key(&path) {
                return String::new();
            }
            let place = scene.place(&path);
            drop(volume.create(&place.directory, &place.name, 0o644).unwrap());
            model.files.insert(model.next, Vec::new());
            model.names.insert(path.clone(), Some(model.next));
            model.next += 1;
            format!("create {path}")
        }
        15..20 => {
            let path = format!("d{}", rng.random_range(0..3));
            if model.names.contains_key(&path) {
                return String::new();
            }
            let place = scene.place(&path);
            volume
                .make_directory(&place.directory, &place.name, 0o755)
                .unwrap();
            model.names.insert(path.clone(), None);
            format!("mkdir {path}")
        }
        20..60 => {
            let Some(path) = model.some(rng, false) else {
                return String::new();
            };
            let offset = rng.random_range(0..3000);
            let bytes = vec![rng.random_range(0..=255); rng.random_range(0..2000)];
            volume
                .write(&scene.inode(&path), offset as u64, &bytes, false)
                .unwrap();
            let file = model.names[&path].unwrap();
            let content = model.files.get_mut(&file).unwrap();
            if !bytes.is_empty() {
                content.resize(content.len().max(offset + bytes.len()), 0);
                content[offset..offset + bytes.len()].copy_from_slice(&bytes);
            }
            format!("write {path} at {offset}, {} bytes", bytes.len())
        }
        60..66 => {
            let Some(path) = model.some(rng, false) else {
                return String::new();
            };
            let size = rng.random_range(0..5000);
            volume.set_size(&scene.inode(&path), size as u64).unwrap();
            let file = model.names[&path].unwrap();
            model.files.get_mut(&file).unwrap().resize(size, 0);
            format!("truncate {path} to {size}")
        }
        66..72 => {
            let Some(path) = model.some(rng, false) else {
                return String::new();
            };
            let place = scene.place(&path);
            volume.remove(&place.directory, &place.name, false).unwrap();
            model.names.remove(&path);
            format!("unlink {path}")
        }
        72..75 => {
            let Some(path) = model.some(rng, true) else {
                return String::new();
            };
            let place = scene.place(&path);
            let removed = volume.remove(&place.directory, &place.name, true);
            assert_eq!(removed.is_ok(), model.is_empty(&path));
            if removed.is_ok() {
                model.names.remove(&path);
            }
            format!("rmdir {path}: {removed:?}")
        }
        75..85 => {
            let (Some(from), to) = (model.some(rng, false), fresh(model, rng)) else {
                return String::new();
            };
            let none = nix::fcntl::RenameFlags::empty();
            volume
                .rename(&scene.place(&from), &scene.place(&to), none)
                .unwrap();
            let file = model.names.remove(&from).unwrap();
            model.names.insert(to.clone(), file);
            format!("rename {from} to {to}")
        }
        85..93 => {
            let Some(path) = model.some(rng, false) else {
                return String::new();
            };
            volume.sync_file(&scene.inode(&path), true).unwrap();
            model.sync_file(model.names[&path].unwrap());
            format!("fsync {path}")
        }
        93..97 => {
            volume.sync_directory(&volume.root).unwrap();
            model.sync_names();
            "fsync of the folder".into()
        }
        _ => {
            scene.cut();
            model.cut();
            "power cut".into()
        }
    }
}

#[test]
fn what_is_left_is_what_was_durable() {
    for seed in 0..20 {
        let (scene, mut model) = (Scene::new(FOR_EVER), Model::default());
        let mut rng = random(seed, "files");
        let mut story = Vec::new();
        for _ in 0..120 {
            story.push(step(&scene, &mut model, &mut rng));
            assert!(
                contents(&scene.data()) == model.contents(),
                "seed {seed}: the folder is not as the model after {story:#?}"
            );
        }
    }
}

#[test]
fn a_torn_write_keeps_whole_sectors_and_what_came_before() {
    for seed in 0..50 {
        let scene = Scene::new(FOR_EVER);
        let place = scene.place("log");
        drop(scene.volume.create(&place.directory, &place.name, 0o644).unwrap());
        let file = scene.inode("log");
        scene.volume.write(&file, 0, &[1; 700], false).unwrap();
        scene.volume.write(&file, 700, &[2; 3000], false).unwrap();
        scene.volume.cut();
        let loss = roll_back(&scene.volume, Extent::Tail(seed));
        let (name, kept, length) = loss.torn.unwrap();
        assert_eq!((name.as_str(), length), ("log", 3000));
        assert!(
            kept > 0 && kept < 3000 && (700 + kept) % 512 == 0,
            "seed {seed}: {kept}"
        );
        let expected = [vec![1; 700], vec![2; kept as usize]].concat();
        assert_eq!(std::fs::read(scene.data().join("log")).unwrap(), expected);
    }
}

#[test]
fn power_goes_in_the_middle_of_the_next_long_write() {
    let scene = Scene::new(FOR_EVER);
    let place = scene.place("log");
    drop(scene.volume.create(&place.directory, &place.name, 0o644).unwrap());
    let file = scene.inode("log");
    let mut cut = scene.volume.arm();
    scene.volume.write(&file, 0, &[1; 100], false).unwrap();
    assert!(cut.try_recv().is_err(), "100 bytes lie within a sector");
    let volume = &scene.volume;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| volume.write(&file, 100, &[2; 1000], false));
        cut.blocking_recv().unwrap();
        volume.gate.release();
        assert!(
            writer.join().unwrap().is_err(),
            "who is killed is not told that it was written"
        );
    });
    let loss = roll_back(volume, Extent::Tail(0));
    assert_eq!(loss.torn.unwrap().2, 1000);
}

#[test]
fn an_fsync_that_the_power_cut_overtakes_has_not_happened() {
    use super::trouble::Trouble;
    let scene = Scene::new(FOR_EVER);
    let place = scene.place("log");
    drop(scene.volume.create(&place.directory, &place.name, 0o644).unwrap());
    let (file, volume) = (scene.inode("log"), &scene.volume);
    volume.sync_directory(&volume.root).unwrap();
    volume.write(&file, 0, b"promised", false).unwrap();
    volume.troubles.begin(1, Trouble::Slow(None), None);
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| volume.sync_file(&file, true));
        while volume.troubles.hits(1).unwrap().calls == 0 {
            std::thread::yield_now();
        }
        volume.cut();
        volume.gate.release();
        assert!(syncing.join().unwrap().is_err());
    });
    let loss = roll_back(volume, Extent::All);
    assert_eq!((loss.writes, loss.bytes, loss.names), (1, 8, 0));
    assert_eq!(std::fs::read(scene.data().join("log")).unwrap(), b"");
}

#[test]
fn a_stuck_fsync_goes_on_when_the_trouble_ends() {
    use super::trouble::Trouble;
    let scene = Scene::new(FOR_EVER);
    let volume = &scene.volume;
    volume.troubles.begin(7, Trouble::Slow(None), None);
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| volume.sync_directory(&volume.root));
        while volume.troubles.hits(7).unwrap().calls == 0 {
            std::thread::yield_now();
        }
        assert!(volume.troubles.end(7).is_some());
        volume.gate.tell();
        syncing.join().unwrap().unwrap();
    });
}

#[test]
fn a_long_file_that_shrank_gets_its_length_and_its_content_back() {
    let scene = Scene::new(FOR_EVER);
    let place = scene.place("log");
    drop(scene.volume.create(&place.directory, &place.name, 0o644).unwrap());
    let file = scene.inode("log");
    scene.volume.allocate(&file, 0, 64 << 20, 0).unwrap();
    scene.volume.write(&file, 5_000_000, b"far away", false).unwrap();
    scene.volume.sync_file(&file, true).unwrap();
    scene.volume.set_size(&file, 100).unwrap();
    scene.volume.allocate(&file, 200, 1000, 0).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 1200);
    scene.cut();
    let content = std::fs::read(scene.data().join("log")).unwrap();
    assert_eq!(content.len(), 64 << 20);
    assert_eq!(&content[5_000_000..5_000_008], b"far away");
    assert!(content.iter().filter(|&&byte| byte != 0).count() == 8);
}

#[test]
fn what_is_too_much_becomes_durable() {
    let memory = 10_000;
    let scene = Scene::new(Options { memory, ..FOR_EVER });
    let place = scene.place("log");
    drop(scene.volume.create(&place.directory, &place.name, 0o644).unwrap());
    let file = scene.inode("log");
    for number in 0..100 {
        scene.volume.write(&file, 0, &[number; 1000], false).unwrap();
    }
    assert!(scene.volume.spilled() > 0);
    scene.cut();
    let content = std::fs::read(scene.data().join("log")).unwrap();
    assert!(
        (80..99).contains(&content[0]) && content.len() == 1000,
        "{}",
        content[0]
    );
}
