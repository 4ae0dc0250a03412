//! A disk of the test's own that hangs, fails or writes half at a word: a file system in this process, mounted by FUSE.
//!
//! What is in it is in memory. A call that meets a hanging disk waits in the kernel, and not even SIGKILL ends it, as on a
//! real one; when the disk is well again, what waited is done. Not for full disks: those are small tmpfs mounts.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags, spawn_mount,
};
use hansard_tests::home::Home;

/// What the kernel asks of a disk and what can be sick of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Bytes into a file.
    Write,
    /// A file or a folder made durable.
    Sync,
    /// A name made, changed or taken away.
    Name,
}

/// How it is sick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ill {
    /// It does not answer.
    Hangs,
    /// It answers with this error.
    Fails(Errno),
    /// It takes half of what it is given (writes only).
    Halves,
}

/// Sizes of what statfs and stat say, in bytes.
const BLOCK: u64 = 4096;
const SPACE: u64 = 1 << 30;

enum Content {
    Folder(BTreeMap<OsString, u64>),
    File(Vec<u8>),
}

struct Node {
    mode: u16,
    content: Content,
}

/// Everything on it. What is unlinked stays, for whoever has it open.
struct Tree {
    nodes: Vec<Node>,
}

type Late = Box<dyn FnOnce(&mut Tree) + Send>;

struct State {
    tree: Tree,
    ills: Vec<(Ask, Ill)>,
    waiting: Vec<Late>,
}

type Shared = Arc<Mutex<State>>;

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The mounted disk.
pub struct SickDisk {
    shared: Shared,
    path: PathBuf,
    mounted: Option<BackgroundSession>,
}

impl SickDisk {
    /// A well one, mounted in the home.
    pub fn new(home: &Home) -> Self {
        let path = home.join("sick");
        std::fs::create_dir(&path).expect("a folder");
        let tree = Tree { nodes: vec![Node { mode: 0o700, content: Content::Folder(BTreeMap::new()) }] };
        let shared = Arc::new(Mutex::new(State { tree, ills: Vec::new(), waiting: Vec::new() }));
        let mounted = spawn_mount(Disk { shared: Arc::clone(&shared) }, &path, &Config::default());
        Self { shared, path, mounted: Some(mounted.expect("no FUSE: this suite needs to be root")) }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// From now on it is sick in this way too.
    pub fn falls_ill(&self, ask: Ask, ill: Ill) {
        lock(&self.shared).ills.push((ask, ill));
    }

    /// How many calls wait for it.
    pub fn waiting(&self) -> usize {
        lock(&self.shared).waiting.len()
    }

    /// From now on it is well, and what waited is done.
    pub fn gets_well(&self) {
        get_well(&self.shared);
    }

    /// Makes it well when dropped: for tests that fail while something waits for it, which nobody could wait for.
    pub fn recovery(&self) -> Recovery {
        Recovery(Arc::clone(&self.shared))
    }
}

fn get_well(shared: &Shared) {
    let mut state = lock(shared);
    state.ills.clear();
    let waiting = std::mem::take(&mut state.waiting);
    waiting.into_iter().for_each(|late| late(&mut state.tree));
}

/// What a test that failed leaves behind.
pub struct Recovery(Shared);

impl Drop for Recovery {
    fn drop(&mut self) {
        get_well(&self.0);
    }
}

impl Drop for SickDisk {
    fn drop(&mut self) {
        self.gets_well();
        // Lazily: a process that a failed test has left may still have it open.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.path).status();
        drop(self.mounted.take());
    }
}

/// The kernel's side.
struct Disk {
    shared: Shared,
}

/// An answer that can be an error.
trait Refuse: Send + 'static {
    fn refuse(self, errno: Errno);
}

macro_rules! refuse {
    ($($reply:ty),*) => { $(impl Refuse for $reply { fn refuse(self, errno: Errno) { self.error(errno); } })* };
}
refuse!(ReplyEmpty, ReplyWrite, ReplyCreate, ReplyEntry);

impl Disk {
    /// Answers now, later, or with an error, as the disk is.
    fn attend<R: Refuse>(&self, ask: Ask, reply: R, act: impl FnOnce(&mut Tree, R, bool) + Send + 'static) {
        let mut state = lock(&self.shared);
        match state.ills.iter().rev().find(|(sick, _)| *sick == ask).map(|(_, ill)| *ill) {
            None => act(&mut state.tree, reply, false),
            Some(Ill::Halves) => act(&mut state.tree, reply, true),
            Some(Ill::Fails(errno)) => reply.refuse(errno),
            Some(Ill::Hangs) => state.waiting.push(Box::new(move |tree| act(tree, reply, false))),
        }
    }
}

impl Tree {
    fn node(&mut self, ino: u64) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(ino).ok()?.checked_sub(1)?)
    }

    fn folder(&mut self, ino: u64) -> Result<&mut BTreeMap<OsString, u64>, Errno> {
        match self.node(ino).map(|node| &mut node.content) {
            Some(Content::Folder(names)) => Ok(names),
            Some(Content::File(_)) => Err(Errno::ENOTDIR),
            None => Err(Errno::ENOENT),
        }
    }

    fn file(&mut self, ino: u64) -> Result<&mut Vec<u8>, Errno> {
        match self.node(ino).map(|node| &mut node.content) {
            Some(Content::File(bytes)) => Ok(bytes),
            Some(Content::Folder(_)) => Err(Errno::EISDIR),
            None => Err(Errno::ENOENT),
        }
    }

    fn find(&mut self, parent: u64, name: &OsStr) -> Result<u64, Errno> {
        self.folder(parent)?.get(name).copied().ok_or(Errno::ENOENT)
    }

    fn attr(&mut self, ino: u64) -> Result<FileAttr, Errno> {
        let node = self.node(ino).ok_or(Errno::ENOENT)?;
        let (kind, size) = match &node.content {
            Content::Folder(_) => (FileType::Directory, 0),
            Content::File(bytes) => (FileType::RegularFile, bytes.len() as u64),
        };
        Ok(FileAttr {
            ino: INodeNo(ino),
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm: node.mode,
            nlink: 1,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            rdev: 0,
            blksize: BLOCK as u32,
            flags: 0,
        })
    }

    fn make(&mut self, parent: u64, name: &OsStr, mode: u32, content: Content) -> Result<FileAttr, Errno> {
        if self.folder(parent)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.nodes.push(Node { mode: (mode & 0o7777) as u16, content });
        let ino = self.nodes.len() as u64;
        self.folder(parent)?.insert(name.to_owned(), ino);
        self.attr(ino)
    }

    fn remove(&mut self, parent: u64, name: &OsStr) -> Result<(), Errno> {
        let ino = self.find(parent, name)?;
        if self.folder(ino).is_ok_and(|names| !names.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        self.folder(parent)?.remove(name);
        Ok(())
    }

    fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr)) -> Result<(), Errno> {
        let ino = self.find(from.0, from.1)?;
        self.folder(from.0)?.remove(from.1);
        self.folder(to.0)?.insert(to.1.to_owned(), ino);
        Ok(())
    }

    fn write(&mut self, ino: u64, offset: u64, data: &[u8]) -> Result<u32, Errno> {
        let bytes = self.file(ino)?;
        let from = offset as usize;
        if bytes.len() < from + data.len() {
            bytes.resize(from + data.len(), 0);
        }
        bytes[from..from + data.len()].copy_from_slice(data);
        Ok(data.len() as u32)
    }
}

fn done(reply: ReplyEmpty, result: Result<(), Errno>) {
    match result {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

/// Nothing is remembered by the kernel: every question comes here.
const NOT_AT_ALL: Duration = Duration::ZERO;

impl Filesystem for Disk {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let tree = &mut lock(&self.shared).tree;
        match tree.find(parent.0, name).and_then(|ino| tree.attr(ino)) {
            Ok(attr) => reply.entry(&NOT_AT_ALL, &attr, Generation(0)),
            Err(errno) => reply.error(errno),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match lock(&self.shared).tree.attr(ino.0) {
            Ok(attr) => reply.attr(&NOT_AT_ALL, &attr),
            Err(errno) => reply.error(errno),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<std::time::SystemTime>,
        _: Option<FileHandle>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let tree = &mut lock(&self.shared).tree;
        if let (Some(mode), Some(node)) = (mode, tree.node(ino.0)) {
            node.mode = (mode & 0o7777) as u16;
        }
        if let (Some(size), Ok(bytes)) = (size, tree.file(ino.0)) {
            bytes.resize(size as usize, 0);
        }
        match tree.attr(ino.0) {
            Ok(attr) => reply.attr(&NOT_AT_ALL, &attr),
            Err(errno) => reply.error(errno),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let name = name.to_owned();
        self.attend(Ask::Name, reply, move |tree, reply, _| {
            match tree.make(parent.0, &name, mode & !umask, Content::Folder(BTreeMap::new())) {
                Ok(attr) => reply.entry(&NOT_AT_ALL, &attr, Generation(0)),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, _: i32, reply: ReplyCreate) {
        let name = name.to_owned();
        self.attend(Ask::Name, reply, move |tree, reply, _| {
            match tree.make(parent.0, &name, mode & !umask, Content::File(Vec::new())) {
                Ok(attr) => reply.created(&NOT_AT_ALL, &attr, Generation(0), FileHandle(0), FopenFlags::empty()),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        self.attend(Ask::Name, reply, move |tree, reply, _| done(reply, tree.remove(parent.0, &name)));
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.unlink(request, parent, name, reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (name, newname) = (name.to_owned(), newname.to_owned());
        self.attend(Ask::Name, reply, move |tree, reply, _| {
            done(reply, tree.rename((parent.0, &name), (newparent.0, &newname)));
        });
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match lock(&self.shared).tree.file(ino.0) {
            Ok(bytes) => {
                let from = (offset as usize).min(bytes.len());
                reply.data(&bytes[from..bytes.len().min(from + size as usize)]);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let data = data.to_vec();
        self.attend(Ask::Write, reply, move |tree, reply, half| {
            let taken = if half { data.len().div_ceil(2) } else { data.len() };
            match tree.write(ino.0, offset, &data[..taken]) {
                Ok(count) => reply.written(count),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn fallocate(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, length: u64, _: i32, reply: ReplyEmpty) {
        self.attend(Ask::Write, reply, move |tree, reply, _| {
            let size = (offset + length) as usize;
            done(reply, tree.file(ino.0).map(|bytes| bytes.resize(bytes.len().max(size), 0)));
        });
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.attend(Ask::Sync, reply, |_, reply, _| reply.ok());
    }

    fn fsyncdir(&self, request: &Request, ino: INodeNo, handle: FileHandle, data: bool, reply: ReplyEmpty) {
        self.fsync(request, ino, handle, data, reply);
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let tree = &mut lock(&self.shared).tree;
        let names: Vec<(OsString, u64)> = match tree.folder(ino.0) {
            Ok(names) => names.iter().map(|(name, ino)| (name.clone(), *ino)).collect(),
            Err(errno) => return reply.error(errno),
        };
        for (at, (name, ino)) in names.into_iter().enumerate().skip(offset as usize) {
            let kind = if tree.folder(ino).is_ok() { FileType::Directory } else { FileType::RegularFile };
            if reply.add(INodeNo(ino), at as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let free = SPACE / BLOCK;
        reply.statfs(free, free, free, 1 << 20, 1 << 20, BLOCK as u32, 255, BLOCK as u32);
    }
}
