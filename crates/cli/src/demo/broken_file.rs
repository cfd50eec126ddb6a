//! A file that is broken in the middle costs only what is broken.

use portolan_agent::control::Dump;
use portolan_core::Family;

use super::hosts::{CALLER, EXTRA, WEB};
use super::manifests::{BROKEN_DOCUMENT, BROKEN_FILE};
use super::question::{Question, SeenSource, Target};
use super::report::Finding;
use super::stage::Stage;
use super::traffic::ask;

pub(super) fn drop_in_and_remove(stage: &mut Stage) -> anyhow::Result<()> {
    stage.manifests.add_broken_file()?;
    let dump = stage.await_agent("the agent says nothing about the broken file", |dump| {
        !dump.problems.is_empty()
    })?;
    stage.found(&complaint(stage, &dump))?;
    stage.await_kernel(&EXTRA, EXTRA.pods)?;
    let extra =
        Question::call(CALLER, Target::ClusterIp(&EXTRA)).is_answered(&EXTRA, SeenSource::Caller);
    let web_pods = stage.web_pods.clone();
    let web = Question::call(CALLER, Target::ClusterIp(&WEB)).is_answered_by(
        &web_pods,
        &WEB,
        SeenSource::Caller,
    );
    for question in [extra, web] {
        let finding = ask(&stage.network, &question, Family::V4);
        stage.found(&finding)?;
    }
    stage.manifests.remove_broken_file()?;
    stage.await_agent("the agent still complains about a file that is gone", |dump| {
        dump.problems.is_empty()
    })?;
    stage.found(&Finding {
        subject: format!("{BROKEN_FILE} is removed"),
        summary: "the agent complains no more".to_owned(),
        ..Finding::default()
    })
}

/// What the agent says, and whether it names the right place.
fn complaint(stage: &Stage, dump: &Dump) -> Finding {
    let is_right =
        |file: &str, document| file.ends_with(BROKEN_FILE) && document == Some(BROKEN_DOCUMENT);
    let named = dump.problems.iter().any(|notice| {
        notice.place.as_ref().is_some_and(|place| is_right(&place.file, place.document))
    });
    let directory = format!("{}/", stage.manifests.directory().display());
    let said: Vec<String> =
        dump.problems.iter().map(|notice| notice.to_string().replace(&directory, "")).collect();
    let mut differences = Vec::new();
    if !named {
        differences.push(format!("{BROKEN_FILE}, document {BROKEN_DOCUMENT} is not named"));
    }
    if dump.problems.len() != 1 {
        differences.push(format!("there are {} complaints, not 1", dump.problems.len()));
    }
    Finding {
        subject: "the agent says".to_owned(),
        text: said.join(" "),
        differences,
        ..Finding::default()
    }
}
