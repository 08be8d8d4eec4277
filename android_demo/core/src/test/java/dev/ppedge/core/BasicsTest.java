package dev.ppedge.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.File;
import java.io.FileOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Map;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Small things: what is refused, and with which words; what is computed by hand. */
public final class BasicsTest {
    private final File bundle = new File(System.getProperty("ppedge.bundle"));

    @Rule
    public final TemporaryFolder temporary = new TemporaryFolder();

    private static void refused(String json, String... words) {
        try {
            Manifest.read(json);
            fail("accepted");
        } catch (BundleException error) {
            assertEquals(words[0].equals("schema 3") ? Fault.OTHER_VERSION : Fault.CONTENT, error.fault());
            assertTrue(error.where(), error.where().startsWith("manifest.json"));
            for (String word : words) {
                assertTrue(error.getMessage(), error.getMessage().contains(word));
            }
            assertFalse(error.hint().isEmpty());
        }
    }

    private String manifest() throws Exception {
        return new String(
                Files.readAllBytes(new File(bundle, "manifest.json").toPath()), StandardCharsets.UTF_8);
    }

    @Test
    public void manifestsThatAreRefused() throws Exception {
        String good = manifest();
        Manifest.read(good);
        refused(good.replaceFirst("\"schema\": 1", "\"schema\": 3"), "schema 3", "schema 1 and 2");
        refused(good.replaceFirst("\"thresh\": 0.3", "\"thresh\": \"0.3\""), "models: det: postprocess", "thresh", "number");
        refused(good.replaceFirst("\"thresh\": 0.3", "\"thresh\": 1.5"), "thresh is \"1.5\"");
        refused(good.replaceFirst("\"min_side\": 3", "\"min_side\": 3.5"), "min_side", "whole number");
        refused(good.replaceFirst("\"dilation\": false", "\"dilation\": 0"), "dilation", "true or false");
        refused(good.replaceFirst("\"limit_type\": \"max\"", "\"limit_type\": \"both\""), "min or max");
        refused(good.replaceFirst("\"channels\": \"BGR\"", "\"channels\": \"RGB\""), "channels");
        refused(good.replaceFirst("\"file\": \"det.nb\"", "\"file\": \"../det.nb\""), "path inside the bundle");
        refused(good.replaceFirst("\"same_line\"", "\"same_lime\""), "same_line is missing");
        refused(good.replaceFirst("\"recipe_sha256\": \"ee", "\"recipe_sha256\": \"xx"), "chain[0]", "64 hexadecimal");
        refused(good.substring(0, good.length() / 2), "not valid JSON", "line ");
        refused("{\"schema\": 1, \"schema\": 1}", "twice");
        refused("[1]", "not an object");
    }

    @Test
    public void aCharacterSetOfAnotherSizeIsRefused() throws Exception {
        Manifest manifest = Manifest.read(manifest());
        RecognizerEntry recognizer = manifest.recognizers.get(0);
        byte[] characters = Files.readAllBytes(recognizer.charset.in(bundle).toPath());
        assertEquals(recognizer.classes, recognizer.characters(characters).size());
        try {
            recognizer.characters(Arrays.copyOfRange(characters, 2, characters.length)); // without the first line
            fail("accepted");
        } catch (BundleException error) {
            assertEquals("charset.txt", error.where());
        }
    }

    @Test
    public void theChainLeadsToTheRecipe() throws Exception {
        Manifest manifest = Manifest.read(manifest());
        assertEquals(2, manifest.det.chain.size());
        ChainLink last = manifest.det.chain.get(1);
        assertEquals("train", last.stage);
        assertEquals("sample_run", last.run);
        assertTrue(last.manifestSha256.startsWith("aaaa") && last.recipeSha256.startsWith("eeee"));
    }

    @Test
    public void jsonValues() throws Exception {
        Map<?, ?> map = (Map<?, ?>) Json.parse(
                " {\"a\\u00e9\\n\": [1, -2.5e1, true, false, null, \"\"], \"b\": {}} ", "text");
        assertEquals(Arrays.<Object>asList(1L, -25.0, true, false, null, ""), map.get("a\u00e9\n"));
        for (String bad : new String[] {"01", "1.", ".5", "+1", "1e", "tru", "[1,]", "{\"a\":1,}", "\"\t\"", "", "1 2"}) {
            try {
                Json.parse(bad, "text");
                fail("accepted: " + bad);
            } catch (BundleException expected) {
                assertTrue(expected.getMessage().contains("text is not valid JSON"));
            }
        }
    }

    @Test
    public void aChangedFileIsNamed() throws Exception {
        Manifest manifest = Manifest.read(manifest());
        byte[] model = Files.readAllBytes(new File(bundle, "det.nb").toPath());
        model[3000] ^= 1;
        File copy = new File(temporary.getRoot(), "det.nb");
        try (FileOutputStream out = new FileOutputStream(copy)) {
            out.write(model);
        }
        NbHeader.read(copy); // its frame is still whole: only the hash tells
        try {
            manifest.det.checkModel(temporary.getRoot());
            fail("accepted");
        } catch (BundleException error) {
            assertTrue(error.getMessage(), error.getMessage().startsWith("det.nb was changed"));
            assertEquals(Fault.CHANGED, error.fault());
            assertEquals("det.nb", error.where());
        }
        try {
            manifest.recognizers.get(0).check(temporary.getRoot());
            fail("accepted");
        } catch (BundleException error) {
            assertTrue(error.getMessage(), error.getMessage().contains("rec.nb is not in the bundle"));
            assertEquals(Fault.MISSING, error.fault());
        }
    }

    /** Cut anywhere, or with something behind its end, a model is refused by its frame alone. */
    @Test
    public void aModelThatWasCutIsRefused() throws Exception {
        byte[] model = Files.readAllBytes(new File(bundle, "det.nb").toPath());
        File copy = new File(temporary.getRoot(), "cut.nb");
        for (int size : new int[] {0, 1, 17, 25, 26, 2000, model.length - 1, model.length + 1}) {
            try (FileOutputStream out = new FileOutputStream(copy)) {
                out.write(Arrays.copyOf(model, size));
            }
            try {
                NbHeader.read(copy);
                fail("accepted with " + size + " bytes");
            } catch (BundleException error) {
                assertTrue(error.getMessage(), error.getMessage().startsWith("cut.nb: not a whole .nb file"));
                assertEquals(Fault.CONTENT, error.fault());
                assertEquals("cut.nb", error.where());
            }
        }
    }

    @Test
    public void agesOfTheRuntime() throws Exception {
        NbHeader header = NbHeader.read(new File(bundle, "det.nb")); // written by opt v2.13-rc
        assertEquals(RuntimeAge.SAME, header.ageOf("v2.13-rc"));
        assertEquals(RuntimeAge.SAME, header.ageOf("2.13"));
        assertEquals(RuntimeAge.NEWER, header.ageOf("v2.14-rc"));
        assertEquals(RuntimeAge.NEWER, header.ageOf("paddlelite v3.0"));
        assertEquals(RuntimeAge.OLDER, header.ageOf("v2.9.1"));
        assertEquals(RuntimeAge.OLDER, header.ageOf("v2.10"));
        assertEquals(RuntimeAge.UNKNOWN, header.ageOf("044ba5b"));
        assertEquals(RuntimeAge.UNKNOWN, header.ageOf(""));
        assertEquals(RuntimeAge.UNKNOWN, header.ageOf(null));
    }

    @Test
    public void statistics() throws Exception {
        Statistics statistics = new Statistics(new double[] {4, 1, 3, 2});
        assertEquals(2.5, statistics.p50, 1e-12);
        assertEquals(3.7, statistics.p90, 1e-12);
        assertEquals(1, statistics.min, 0);
        assertEquals(4, statistics.max, 0);
        assertEquals(2.5, statistics.mean, 1e-12);
        assertEquals(7, new Statistics(new double[] {7}).p90, 0);
        for (double[] bad : new double[][] {{}, {1, Double.NaN}, {Double.NEGATIVE_INFINITY}, {Double.POSITIVE_INFINITY}}) {
            try {
                new Statistics(bad);
                fail("accepted: " + Arrays.toString(bad));
            } catch (BundleException expected) {
                assertFalse(expected.hint().isEmpty());
            }
        }
    }

    @Test
    public void turns() throws Exception {
        int[] six = {0xFF000001, 0xFF000002, 0xFF000003, 0xFF040000, 0xFF000500, 0xFF000006}; // 3 x 2
        Image image = Image.fromArgb(3, 2, six);
        assertArrayEquals(six, image.toArgb());
        Image left = image.turnedLeft();
        assertEquals(2, left.width);
        assertArrayEquals(new int[] {six[2], six[5], six[1], six[4], six[0], six[3]}, left.toArgb());
        assertArrayEquals(new int[] {six[5], six[4], six[3], six[2], six[1], six[0]}, image.turnedOver().toArgb());
    }

    @Test
    public void coloursAreLaidOnWhite() {
        assertEquals(0xFF0A141E, Image.onWhite(0xFF0A141E));
        assertEquals(0xFFFFFFFF, Image.onWhite(0x000A141E)); // nothing is seen of it
        assertEquals(0xFF7F7FFF, Image.onWhite(0x800000FF));
        assertEquals(0xFFFEFEFE, Image.onWhite(0x01000000));
    }

    @Test
    public void aNetworkThatFailsIsNamed() throws Exception {
        Manifest manifest = Manifest.read(manifest());
        RecognizerEntry recognizer = manifest.recognizers.get(0);
        CharacterSet characters = recognizer.characters(Files.readAllBytes(recognizer.charset.in(bundle).toPath()));
        final RuntimeException cause = new IllegalStateException("no memory");
        Network failing = new Network() {
            @Override
            public Tensor run(Tensor input) {
                throw cause;
            }
        };
        try {
            new Pipeline(failing, failing, null, manifest, recognizer, characters).read(new Image(8, 8, new byte[192]));
            fail("accepted");
        } catch (BundleException error) {
            assertTrue(error.getMessage(), error.getMessage().contains("network det failed"));
            assertEquals(cause, error.getCause());
            assertEquals(Fault.FAILED, error.fault());
            assertEquals("det", error.where());
        }
    }
}
