//! `siltstone export`: rows and rollups as Parquet and Arrow.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use export::{BatchWriter, Decimals, Format, RollupChoice, RowChoice};
use query::request::Filter;
use serde_json::{Value, json};

use super::EXIT_FAILED;
use super::progress::Progress;
use super::target::require_store;
use crate::db::Db;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{Options, Work};

/// Behind the name of a file that is not whole yet.
const PARTIAL_SUFFIX: &str = ".partial";

/// Write rows or rollups to a Parquet or Arrow file
///
/// Works on a directory that no server has open, streams, and needs little memory. Instants are
/// timestamps in UTC, keywords dictionaries, fields with several values lists. A decimal is a
/// double, which loses nothing of a single value; --decimals adds the exact text, which sums need.
/// Rows that cannot be read are left out: the file holds all others, the end says how many are
/// missing and why, and the exit code is 1.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone export rows trades --data /var/lib/siltstone --output trades.parquet
  siltstone export rollup trades --by symbol --data /var/lib/siltstone --output hours.parquet")]
pub(super) struct Export {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every row, a column a field
    #[command(after_help = "Example:
  siltstone export rows trades --data /var/lib/siltstone --from 2026-01-01 --to 2026-02-01 \\
    --query 'symbol:s1 AND price:>2' --field symbol --field price --output january.parquet")]
    Rows {
        #[command(flatten)]
        common: Common,
        /// Only this field; again for each field
        #[arg(long = "field", value_name = "FIELD")]
        fields: Vec<String>,
        /// The original documents, too
        #[arg(long)]
        source: bool,
        /// The ids, too
        #[arg(long)]
        ids: bool,
    },
    /// Cells of an hour each: count, and count, sum, min and max of each number
    #[command(after_help = "Example:
  siltstone export rollup trades --by symbol --measure price --data /var/lib/siltstone \\
    --format arrow --output hours.arrows")]
    Rollup {
        #[command(flatten)]
        common: Common,
        /// Cells by hour and the terms of this field
        #[arg(long, value_name = "FIELD")]
        by: Option<String>,
        /// Only this number; again for each number
        #[arg(long = "measure", value_name = "FIELD")]
        measures: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// The topic
    topic: String,
    /// The directory
    #[arg(long, value_name = "DIR", env = "SILTSTONE_DATA")]
    data: PathBuf,
    /// Where to, - for standard output
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value_t = FileFormat::Parquet)]
    format: FileFormat,
    /// The first instant, as the time field's format or a date
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The instant behind the last
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Only rows that match, in the syntax of query_string
    #[arg(long, value_name = "QUERY")]
    query: Option<String>,
    /// The exact decimals as text, too
    #[arg(long)]
    decimals: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FileFormat {
    /// Parquet with Zstandard
    Parquet,
    /// Arrow's IPC streaming format
    Arrow,
}

impl Export {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let (What::Rows { common, .. } | What::Rollup { common, .. }) = &self.what;
        let db = common.open()?;
        let filter = common.filter(&db)?;
        let decimals = match common.decimals {
            true => Decimals::WithText,
            false => Decimals::Float64,
        };
        let topic = &common.topic;
        let unread = match &self.what {
            What::Rows {
                fields,
                source,
                ids,
                ..
            } => {
                let choice = RowChoice {
                    filter,
                    fields: (!fields.is_empty()).then(|| fields.clone()),
                    has_source: *source,
                    has_ids: *ids,
                    decimals,
                };
                let mut batches = db.rows(topic, choice)?;
                let schema = batches.schema().clone();
                let next = || (batches.next(), batches.progress());
                common.write(&schema, "rows", next)?;
                batches.unread().to_vec()
            }
            What::Rollup { by, measures, .. } => {
                let choice = RollupChoice {
                    filter,
                    dimension: by.clone(),
                    measures: (!measures.is_empty()).then(|| measures.clone()),
                    decimals,
                };
                let mut batches = db.rollup(topic, choice)?;
                let schema = batches.schema().clone();
                let next = || (batches.next(), batches.progress());
                common.write(&schema, "hours", next)?;
                batches.unread().to_vec()
            }
        };
        db.close()?;
        for unread in &unread {
            eprintln!("{unread}");
        }
        Ok(match unread.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(EXIT_FAILED),
        })
    }
}

/// The next batch, and how far it is.
type Step<B> = (Option<Result<B, export::ExportError>>, (u64, u64));

impl Common {
    /// The store, with every record a row that can be one.
    fn open(&self) -> Result<Db> {
        require_store(&self.data)?;
        let options = Options {
            work: Work::Caller,
            ..Options::default()
        };
        let db = Db::builder().path(&self.data).options(options).open()?;
        db.refresh(&self.topic)?;
        Ok(db)
    }

    fn filter(&self, db: &Db) -> Result<Filter> {
        let mut all: Vec<Value> = Vec::new();
        if let Some(query) = &self.query {
            all.push(json!({ "query_string": { "query": query } }));
        }
        if self.from.is_some() || self.to.is_some() {
            let Some(field) = db.time_field(&self.topic)? else {
                let text = "--from and --to need a topic with a time field";
                return Err(Error::new(ErrorKind::Invalid, text));
            };
            let mut bounds = json!({});
            if let Some(from) = &self.from {
                bounds["gte"] = from.as_str().into();
            }
            if let Some(to) = &self.to {
                bounds["lt"] = to.as_str().into();
            }
            all.push(json!({ "range": { field: bounds } }));
        }
        if all.is_empty() {
            return Ok(Filter::All);
        }
        let body = json!({ "query": { "bool": { "filter": all } } });
        db.filter(&self.topic, &body.to_string())
    }

    /// Writes what `next` gives, and says how much it was.
    fn write(
        &self,
        schema: &export::SchemaRef,
        what: &'static str,
        next: impl FnMut() -> Step<export::RecordBatch>,
    ) -> Result<()> {
        let format = match self.format {
            FileFormat::Parquet => Format::Parquet,
            FileFormat::Arrow => Format::Arrow,
        };
        if self.output == Path::new("-") {
            let out = BufWriter::new(io::stdout());
            let (rows, seconds) = pour(out, schema, format, what, next)?;
            eprintln!("{rows} rows in {seconds:.1} s");
            return Ok(());
        }
        let mut partial = self.output.clone().into_os_string();
        partial.push(PARTIAL_SUFFIX);
        let partial = PathBuf::from(partial);
        let cannot = |what: &str, path: &Path, error| {
            let doing = format!("cannot {what} '{}'", path.display());
            Error::caused(ErrorKind::Invalid, error).while_doing(doing)
        };
        let file = File::create(&partial).map_err(|error| cannot("create", &partial, error))?;
        let poured = pour(BufWriter::new(file), schema, format, what, next);
        let (rows, seconds) = poured.inspect_err(|_| {
            // Half a file is of no use; one that cannot be removed says so by its name.
            let _ = fs::remove_file(&partial);
        })?;
        fs::rename(&partial, &self.output)
            .map_err(|error| cannot("rename to", &self.output, error))?;
        let bytes = fs::metadata(&self.output).map_or(0, |metadata| metadata.len());
        eprintln!(
            "{rows} rows, {bytes} bytes in {seconds:.1} s: {}",
            self.output.display()
        );
        Ok(())
    }
}

/// Writes batch by batch. Returns rows and seconds.
fn pour(
    out: impl Write + Send,
    schema: &export::SchemaRef,
    format: Format,
    what: &'static str,
    mut next: impl FnMut() -> Step<export::RecordBatch>,
) -> Result<(u64, f64)> {
    let mut writer = BatchWriter::new(out, schema, format)?;
    let mut progress = Progress::new(what);
    let mut rows = 0;
    loop {
        let (batch, (done, total)) = next();
        let Some(batch) = batch else {
            break;
        };
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch)?;
        progress.show(done, total);
    }
    let mut out = writer.finish()?;
    let flushed = out.flush();
    let seconds = progress.finish();
    flushed.map_err(|error| {
        Error::caused(ErrorKind::Unavailable, error).while_doing("cannot write the output")
    })?;
    Ok((rows, seconds))
}
