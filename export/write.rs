//! Record batches as a file.

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::ExportError;

/// Rows of a Parquet row group: what the writer holds, encoded.
const ROW_GROUP_ROWS: usize = 256 * 1024;

/// Bytes of an encoded row group after which it is written before it has all its rows.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Parquet with Zstandard.
    Parquet,
    /// Arrow's streaming format with Zstandard: one message a batch, each with its dictionaries,
    /// so that it can be written and read without holding more.
    Arrow,
}

/// Writes batches of one schema to `W`.
pub struct BatchWriter<W: Write + Send>(Inner<W>);

enum Inner<W: Write + Send> {
    Parquet(Box<ArrowWriter<W>>),
    Arrow(Box<StreamWriter<W>>),
}

impl<W: Write + Send> BatchWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When `out` takes no bytes.
    pub fn new(out: W, schema: &SchemaRef, format: Format) -> Result<Self, ExportError> {
        Ok(Self(match format {
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
                    .set_created_by(concat!("siltstone ", env!("CARGO_PKG_VERSION")).into())
                    .build();
                let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))?;
                Inner::Parquet(Box::new(writer))
            }
            Format::Arrow => {
                let options =
                    IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD))?;
                let writer = StreamWriter::try_new_with_options(out, schema, options)?;
                Inner::Arrow(Box::new(writer))
            }
        }))
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// When it has another schema or the output takes no more bytes.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ExportError> {
        match &mut self.0 {
            Inner::Parquet(writer) => {
                writer.write(batch)?;
                if writer.in_progress_size() >= ROW_GROUP_BYTES {
                    writer.flush()?;
                }
            }
            Inner::Arrow(writer) => writer.write(batch)?,
        }
        Ok(())
    }

    /// Ends the file and gives the output back.
    ///
    /// # Errors
    /// When the output takes no more bytes.
    pub fn finish(self) -> Result<W, ExportError> {
        Ok(match self.0 {
            Inner::Parquet(writer) => writer.into_inner()?,
            Inner::Arrow(writer) => writer.into_inner()?,
        })
    }
}
