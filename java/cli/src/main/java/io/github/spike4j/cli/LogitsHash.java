package io.github.spike4j.cli;

import io.github.spike4j.LogitsConsumer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 over logits as little-endian f32, row after row: equal for every backend, tier, thread count, split and batch. */
final class LogitsHash implements LogitsConsumer {

    private final MessageDigest digest;
    private ByteBuffer row = ByteBuffer.allocate(0);

    LogitsHash() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }

    @Override
    public void accept(int position, float[] logits) {
        if (row.capacity() != 4 * logits.length) {
            row = ByteBuffer.allocate(4 * logits.length).order(ByteOrder.LITTLE_ENDIAN);
        }
        row.asFloatBuffer().put(logits);
        digest.update(row.array());
    }

    /** The hash of all rows so far; starts anew. */
    String hex() {
        return HexFormat.of().formatHex(digest.digest());
    }
}
