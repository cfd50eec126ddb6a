//! Another backend, by whatever word.

use std::fs;
use std::path::Path;

use super::*;
use crate::backend_thread::Work;
use crate::config::{BackendKind, Given, Layers, Settings};

const HEAD: &str = "apiVersion: portolan/v1alpha1\nkind: PortolanConfiguration\n";

fn write(path: &Path, backend: &str) {
    fs::write(path, format!("{HEAD}backend: {backend}\n")).unwrap();
}

/// Waits until the backend is asked something, whatever time passes.
async fn next(agent: &mut Harness) -> Asked {
    while agent.kernel.asked.is_empty() {
        settle().await;
        advance(Duration::from_millis(100)).await;
    }
    agent.asked().await
}

#[tokio::test(start_paused = true)]
async fn the_last_word_counts_whether_it_is_in_the_file_or_a_command() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    let socket = directory.path().join("control.sock");
    write(&path, "nftables");
    let node_name = Some(Given::new("node-a".to_owned(), "--node-name"));
    let flags = Settings { node_name, ..Settings::default() };
    let layers = Layers { flags, file: Some(path.clone()), ..Layers::default() };
    let file = layers.load().unwrap().file;
    let config = Config { control_socket: Some(socket.clone()), ..config() };
    let (open, kernel) = fake_backend();
    let loaded = Loaded { config, warnings: Vec::new(), file };
    let mut agent = Harness::start_with(loaded, open, kernel);
    agent.list().await;
    assert!(matches!(agent.asked().await, Asked::Converge(..)));
    agent.answer(Answer::Succeed);

    write(&path, "ipvs");
    assert_eq!(next(&mut agent).await, Asked::Switch("ipvs".to_owned()), "the file");
    agent.answer(Answer::Succeed);
    let command = tokio::task::spawn_blocking(move || {
        let nftables = control::Request::Switch(BackendKind::Nftables);
        control::query(&socket, nftables)
    });
    assert_eq!(next(&mut agent).await, Asked::Switch("nftables".to_owned()), "a command");
    agent.answer(Answer::Succeed);
    command.await.unwrap().unwrap();
    for _ in 0..100 {
        settle().await;
        advance(Duration::from_millis(100)).await;
    }
    assert!(agent.kernel.asked.is_empty(), "the file said so before");

    write(&path, "nftables");
    for _ in 0..100 {
        settle().await;
        advance(Duration::from_millis(100)).await;
    }
    assert!(agent.kernel.asked.is_empty(), "it is that already");
    write(&path, "ipvs");
    assert_eq!(next(&mut agent).await, Asked::Switch("ipvs".to_owned()), "the file again");
    agent.answer(Answer::Fail);
    assert!(matches!(next(&mut agent).await, Asked::Converge(..)), "the old one goes on");
    agent.answer(Answer::Succeed);
    fs::write(&path, format!("{HEAD}backend: ipvs\n# once more\n")).unwrap();
    assert_eq!(next(&mut agent).await, Asked::Switch("ipvs".to_owned()), "another try");
    agent.answer(Answer::Succeed);
    agent.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_file_that_asks_before_the_first_sync_has_its_way_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    write(&path, "nftables");
    let node_name = Some(Given::new("node-a".to_owned(), "--node-name"));
    let flags = Settings { node_name, ..Settings::default() };
    let file = Layers { flags, file: Some(path.clone()), ..Layers::default() }.load().unwrap().file;
    let (open, kernel) = fake_backend();
    let loaded = Loaded { config: config(), warnings: Vec::new(), file };
    let mut agent = Harness::start_with(loaded, open, kernel);
    write(&path, "ipvs");
    for _ in 0..100 {
        settle().await;
        advance(Duration::from_millis(100)).await;
    }
    agent.list().await;
    assert!(matches!(next(&mut agent).await, Asked::Converge(..)));
    agent.answer(Answer::Succeed);
    assert_eq!(next(&mut agent).await, Asked::Switch("ipvs".to_owned()));
    agent.answer(Answer::Succeed);
    agent.stop().await.unwrap();
}

/// What a call of the backend with these words ends with.
async fn call(
    thread: &mut BackendThread,
    kernel: &mut FakeKernel,
    work: Work,
    answer: Answer,
) -> (Asked, bool) {
    thread.send(work).unwrap();
    let asked = kernel.asked.recv().await.unwrap();
    kernel.answers.send(answer).unwrap();
    (asked, thread.outcome().await.unwrap().result.is_ok())
}

#[tokio::test]
async fn a_backend_that_has_panicked_is_changed_for_another_by_opening_that() {
    let (mut open, mut kernel) = fake_backend();
    let opened = Arc::new(Mutex::new(Vec::new()));
    let kinds = Arc::clone(&opened);
    let open: OpenBackend = Box::new(move |kind| {
        kinds.lock().unwrap().push(kind.name());
        open(kind)
    });
    let thread = &mut BackendThread::start(BackendKind::Nftables, open).await.unwrap();
    let environment = Environment::default();
    let converge = || Work::Converge { plans: Vec::new(), environment: environment.clone() };
    let switch = |to| Work::Switch { to, plans: Vec::new(), environment: environment.clone() };
    let nothing = || Asked::Converge(BTreeMap::new(), environment.clone());
    use BackendKind::{Ipvs, Nftables};

    let done = call(thread, &mut kernel, converge(), Answer::Panic).await;
    assert_eq!(done, (nothing(), false));
    let done = call(thread, &mut kernel, switch(Ipvs), Answer::Fail).await;
    assert_eq!(done, (nothing(), false), "as after a restart");
    let done = call(thread, &mut kernel, converge(), Answer::Panic).await;
    assert_eq!(done, (nothing(), false), "the old one goes on");
    let done = call(thread, &mut kernel, switch(Ipvs), Answer::Succeed).await;
    assert_eq!(done, (nothing(), true));
    let done = call(thread, &mut kernel, switch(Nftables), Answer::Succeed).await;
    assert_eq!(done, (Asked::Switch("nftables".to_owned()), true), "it is open now");
    assert_eq!(*opened.lock().unwrap(), ["nftables", "ipvs", "nftables", "ipvs"]);
}
