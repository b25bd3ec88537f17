import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import java.nio.ByteBuffer; import java.nio.file.*; import java.util.*;
// Writes the golden batches of this folder with Kafka's own code:
// java -cp "kafka-clients-4.3.1 and what it needs" MakeBatches.java
public class MakeBatches {
  public static void main(String[] a) throws Exception {
    Map<String, Compression> all = new LinkedHashMap<>();
    all.put("none", Compression.NONE); all.put("gzip", Compression.gzip().build()); all.put("snappy", Compression.snappy().build());
    all.put("lz4", Compression.lz4().build()); all.put("zstd", Compression.zstd().build());
    for (var e : all.entrySet()) {
      ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
      MemoryRecordsBuilder b = MemoryRecords.builder(buffer, (byte) 2, e.getValue(), TimestampType.CREATE_TIME, 1000L, 0L, 4711L, (short) 3, 42, false, 7);
      b.append(1700000000000L, "key".getBytes(), "value".getBytes(), new Header[0]);
      b.append(1699999999990L, (byte[]) null, "no key, and a value that repeats repeats repeats repeats repeats".getBytes(), new Header[]{ new RecordHeader("a", "1".getBytes()), new RecordHeader("b", (byte[]) null)});
      b.append(1700000005000L, "tombstone".getBytes(), (byte[]) null, new Header[0]);
      b.append(1700000004000L, new byte[0], new byte[0], new Header[]{ new RecordHeader("", new byte[0])});
      MemoryRecords r = b.build();
      byte[] out = new byte[r.buffer().remaining()]; r.buffer().get(out);
      Files.write(Path.of(e.getKey() + ".batch"), out);
    }
  }
}
