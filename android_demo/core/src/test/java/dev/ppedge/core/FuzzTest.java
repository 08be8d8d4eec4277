package dev.ppedge.core;

import static org.junit.Assert.assertTrue;

import java.io.File;
import java.io.FileOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Random;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Thousands of malformed inputs: each is accepted, or ends in a BundleException; never in anything else. */
public final class FuzzTest {
    private static final String[] WORDS = {
        "null", "-1", "0", "1e999", "1e-999", "99999999999999999999", "0.5", "true", "\"\"", "\"x\"", "[]", "{}", "[[[", "NaN",
        "\"..\"", "\"../x\"", "\"/etc/passwd\"", "\"a\\u0000b\"", "\\", "\"", ",", "}", "\u0001", "\"\\ud800\"", "1.0", "2",
    };

    private final File bundle = new File(System.getProperty("ppedge.bundle"));

    @Rule
    public final TemporaryFolder temporary = new TemporaryFolder();

    /** Something that may refuse its input. */
    private abstract static class Attempt {
        abstract void run(Random random) throws Exception;

        /** Runs it many times; a failure names its seed. */
        final void repeat(int times, int leastRefused) {
            int refused = 0;
            for (int seed = 0; seed < times; seed++) {
                try {
                    run(new Random(seed));
                } catch (BundleException expected) {
                    assertTrue("seed " + seed, expected.getMessage().length() > 10);
                    refused++;
                } catch (Throwable other) {
                    throw new AssertionError("seed " + seed + ": " + other, other);
                }
            }
            System.out.println(getClass().getName() + ": " + refused + " of " + times + " refused");
            assertTrue(refused + " of " + times + " refused", refused >= leastRefused);
        }
    }

    private static byte[] mutated(byte[] bytes, Random random) {
        byte[] changed = bytes.clone();
        for (int i = random.nextInt(4); i >= 0; i--) {
            int at = random.nextInt(changed.length);
            changed[at] = (byte) (random.nextBoolean() ? random.nextInt(256) : changed[at] ^ 1 << random.nextInt(8));
        }
        return random.nextInt(3) == 0 ? java.util.Arrays.copyOf(changed, random.nextInt(changed.length + 40)) : changed;
    }

    /** Replaces a value of a JSON text by another one. */
    static String revalued(String text, Random random) {
        int colon = text.indexOf(':', random.nextInt(text.length()));
        if (colon < 0) {
            return text.substring(0, random.nextInt(text.length()));
        }
        int end = colon + 1;
        while (end < text.length() && ",}]\n".indexOf(text.charAt(end)) < 0) {
            end++;
        }
        return text.substring(0, colon + 1) + WORDS[random.nextInt(WORDS.length)] + text.substring(end);
    }

    @Test
    public void manifests() throws Exception {
        byte[] whole = Files.readAllBytes(new File(bundle, "manifest.json").toPath());
        String text = new String(whole, StandardCharsets.UTF_8);
        // Most of a manifest is its list of golden files: a shorter one puts the changes where they matter.
        final String brief = text.replaceAll("(?s)\"files\": \\[.*?\\]", "\"files\": []").replaceAll(
                "(?s)\"chain\": \\[.*?\\n {3}\\]", "\"chain\": []");
        final Image picture = new Image(40, 20, new byte[2400]);
        new Attempt() {
            @Override
            void run(Random random) throws Exception {
                Manifest manifest;
                if (random.nextBoolean()) {
                    manifest = Manifest.read(revalued(brief, random));
                } else {
                    manifest = Manifest.read(mutated(brief.getBytes(StandardCharsets.UTF_8), random));
                }
                manifest.detPreprocess.size(picture.height, picture.width);
                LinePreprocess line = manifest.recognizers.get(0).preprocess;
                if (line.height < 200) { // higher ones only take their time
                    Preprocess.line(picture, line);
                }
                manifest.det.check(bundle);
            }
        }.repeat(4000, 1000);
    }

    @Test
    public void headers() throws Exception {
        final byte[] model = Files.readAllBytes(new File(bundle, "det.nb").toPath());
        new Attempt() {
            @Override
            void run(Random random) throws Exception {
                byte[] head = mutated(java.util.Arrays.copyOf(model, NbHeader.SIZE), random);
                NbHeader header = NbHeader.read(head, model.length);
                header.ageOf("v2." + random.nextInt(20));
            }
        }.repeat(4000, 1000);
    }

    @Test
    public void models() throws Exception {
        final byte[] model = Files.readAllBytes(new File(bundle, "det.nb").toPath());
        final File file = temporary.newFile("some.nb");
        new Attempt() {
            @Override
            void run(Random random) throws Exception {
                try (FileOutputStream out = new FileOutputStream(file)) {
                    out.write(mutated(model, random));
                }
                NbHeader.read(file);
            }
        }.repeat(2000, 500);
    }

    @Test
    public void characterSets() throws Exception {
        final byte[] file = Files.readAllBytes(new File(bundle, "charset.txt").toPath());
        new Attempt() {
            @Override
            void run(Random random) throws Exception {
                CharacterSet.read(mutated(file, random), "charset.txt");
            }
        }.repeat(4000, 1000);
    }

    @Test
    public void goldenCases() throws Exception {
        final String text = new String(
                Files.readAllBytes(new File(bundle, "golden/01/golden.json").toPath()), StandardCharsets.UTF_8);
        new Attempt() {
            @Override
            void run(Random random) throws Exception {
                Section root = Section.of(Json.parse(revalued(text, random), "golden.json"), "golden.json");
                for (Section line : root.sections("lines", 10)) {
                    line.quad("quad");
                    line.section("crop").whole("width", 1, 1000);
                    Tensor.count(line.section("rec").section("input").shape("shape", 4));
                }
            }
        }.repeat(3000, 500);
    }

    @Test
    public void json() {
        new Attempt() {
            @Override
            void run(Random random) throws Exception {
                StringBuilder text = new StringBuilder();
                for (int i = random.nextInt(60); i >= 0; i--) {
                    text.append(random.nextBoolean() ? WORDS[random.nextInt(WORDS.length)] : "[{\"a\":");
                }
                Json.parse(text.toString(), "some text");
            }
        }.repeat(4000, 3000);
    }

    @Test
    public void masks() {
        new Attempt() {
            @Override
            void run(Random random) throws Exception {
                int height = random.nextInt(40);
                int width = random.nextInt(40);
                float[] map = new float[random.nextInt(4) == 0 ? random.nextInt(1600) : height * width];
                float[] values = {0, 1, 0.5f, -1, 2, Float.MAX_VALUE, Float.MIN_VALUE, Float.NaN, Float.POSITIVE_INFINITY};
                int kinds = random.nextInt(3) == 0 ? values.length : 3;
                for (int i = 0; i < map.length; i++) {
                    map[i] = values[random.nextInt(kinds)];
                }
                DbSpec spec = new DbSpec(
                        random.nextFloat(), random.nextFloat() * 0.1, 1 + random.nextInt(1000), random.nextFloat() * 100,
                        1 + random.nextInt(3), random.nextInt(3), random.nextBoolean(), random.nextBoolean());
                int pictureHeight = random.nextInt(200);
                int pictureWidth = random.nextInt(200);
                Image picture = new Image(30, 20, new byte[1800]);
                for (Box box : DbPostprocess.boxes(map, height, width, pictureHeight, pictureWidth, spec)) {
                    Crop.cut(picture, box.quad, 1.5);
                }
            }
        }.repeat(1000, 200);
    }

    @Test
    public void quads() {
        new Attempt() {
            @Override
            void run(Random random) throws Exception {
                float[] quad = new float[8];
                float[] odd = {0, -0f, 1e-30f, 5e8f, Float.NaN, Float.NEGATIVE_INFINITY, Float.MAX_VALUE};
                for (int i = 0; i < 8; i++) {
                    quad[i] = random.nextInt(8) == 0 ? odd[random.nextInt(7)] : random.nextInt(120) - 30;
                }
                Crop.cut(new Image(50, 60, new byte[9000]), quad, 1.5);
            }
        }.repeat(2000, 200);
    }

    @Test
    public void probabilities() throws Exception {
        final CharacterSet characters = CharacterSet.read("a\nb\n \n".getBytes(StandardCharsets.UTF_8), "charset.txt");
        new Attempt() {
            @Override
            void run(Random random) throws Exception {
                int steps = random.nextInt(30) - 1;
                int classes = random.nextInt(5) == 0 ? random.nextInt(6) : 4;
                float[] values = new float[random.nextInt(4) == 0 ? random.nextInt(99) : Math.max(steps, 0) * classes];
                for (int i = 0; i < values.length; i++) {
                    values[i] = random.nextInt(100) == 0 ? Float.NaN : random.nextFloat();
                }
                CtcDecoder.decode(values, steps, classes, characters);
            }
        }.repeat(3000, 500);
    }
}
