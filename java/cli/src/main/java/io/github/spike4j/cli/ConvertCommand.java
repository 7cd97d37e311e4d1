package io.github.spike4j.cli;

import io.github.spike4j.convert.ConvertPlan;
import io.github.spike4j.convert.ConvertReport;
import io.github.spike4j.convert.ConvertRequest;
import io.github.spike4j.convert.Converter;
import io.github.spike4j.convert.ProgressListener;
import io.github.spike4j.convert.Recipe;
import io.github.spike4j.convert.RecipeException;
import io.github.spike4j.convert.Recipes;
import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.TokenizerInfo;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code spike4j convert}. */
@Command(name = "convert", description = "Turn a checkpoint into a spiking .s4j file.", sortOptions = false,
        mixinStandardHelpOptions = true)
final class ConvertCommand implements Callable<Integer> {

    @Parameters(paramLabel = "SOURCE", description = "Hugging Face or Meta folder, GGUF file, or llama2.c .bin.")
    private Path source;

    @Option(names = {"-o", "--output"}, paramLabel = "OUT.s4j", description = "File to write; replaced if it exists.")
    private Path output;

    @Option(names = "--recipe", required = true, paramLabel = "NAME|FILE.json", description = "Built-in recipe or a JSON file.")
    private String recipe;

    @Option(names = "--calibration", paramLabel = "TEXT", description = "UTF-8 text for masks, frozen ranges and weight errors.")
    private Path calibration;

    @Option(names = "--context", paramLabel = "N", description = "Positions that the model shall serve. Default: those of the source.")
    private Integer context;

    @Option(names = "--license", paramLabel = "TEXT",
            description = "Licence of the weights, as an SPDX expression. Default: that of the folder's model card, if it says so.")
    private String license;

    @Option(names = "--threads", paramLabel = "N", description = "Threads; the result does not depend on them.")
    private int threads = Runtime.getRuntime().availableProcessors();

    @Option(names = "--restart", description = "Throw away the unfinished work of another conversion to OUT.s4j.")
    private boolean restart;

    @Option(names = "--dry-run", description = "Say what would be made, and what stands against it; write nothing.")
    private boolean dryRun;

    @Option(names = "--quiet", description = "No progress.")
    private boolean quiet;

    @ArgGroup(validate = false, heading = "Changes to the recipe:%n")
    private Changes changes = new Changes();

    @Mixin
    private Report report;

    @Spec
    private CommandSpec spec;

    /** Fields of the recipe, by their names in its JSON form. */
    static final class Changes {
        @Option(names = "--weight-group", paramLabel = "N", description = "Weights of one scale, a multiple of 16; 0: a row.")
        private Integer weightGroup;

        @Option(names = "--act-group", paramLabel = "N", description = "Activations of one scale, a multiple of 16; 0: a token.")
        private Integer actGroup;

        @Option(names = "--ranges", paramLabel = "shared|separate", description = "Range of salient channels.")
        private String ranges;

        @Option(names = "--masks", paramLabel = "shared|own", description = "Mask of linears with one input.")
        private String masks;

        @Option(names = "--k", paramLabel = "token|frozen", description = "Ranges of K.")
        private String k;

        @Option(names = "--q-bits", paramLabel = "4|8", description = "Width of Q.")
        private Integer qBits;

        @Option(names = "--saliency", paramLabel = "paper|max|gain|random", description = "Score that picks salient channels.")
        private String saliency;

        @Option(names = "--clip", paramLabel = "C", description = "Factor on the range of ordinary channels, in (0, 1].")
        private Double clip;

        private Map<String, Object> map() {
            var map = new HashMap<String, Object>();
            map.put("weightGroup", weightGroup);
            map.put("actGroup", actGroup);
            map.put("ranges", ranges);
            map.put("masks", masks);
            map.put("k", k);
            map.put("qBits", qBits);
            map.put("saliency", saliency);
            map.put("clip", clip);
            map.values().removeIf(Objects::isNull);
            return map;
        }
    }

    /** The {@code --json} form. */
    record Result(String file, long fileBytes, String recipe, long parameters, int layers, List<String> warnings, double seconds,
            int resumedBlocks) {}

    /** The {@code --json} form of {@code --dry-run}; {@code problems} is empty if the conversion can be done. */
    record Plan(String source, String recipe, Architecture architecture, long parameters, TokenizerInfo tokenizer, boolean chatTemplate,
            String license, long fileBytes, long diskBytes, long memoryBytes, List<String> warnings, List<String> problems) {}

    @Override
    public Integer call() throws Exception {
        EngineOptions.usage(threads >= 1 && threads <= 1024, spec, "--threads must be 1 to 1024, not " + threads);
        EngineOptions.usage(context == null || context >= 1 && context <= ConvertRequest.MAX_CONTEXT, spec,
                "--context must be 1 to " + ConvertRequest.MAX_CONTEXT + ", not " + context);
        if (output == null && !dryRun) {
            throw new ParameterException(spec.commandLine(), "Missing required option: '--output=OUT.s4j'");
        }
        var chosen = recipe();
        Failure.readable(source);
        if (calibration != null) {
            Failure.readableFile(calibration);
        }
        var request = new ConvertRequest(source, output == null ? Path.of("OUT.s4j") : output, chosen, calibration, threads, true, license,
                restart, context == null ? 0 : context);
        if (dryRun) {
            return plan(request);
        }
        ConvertReport done;
        try (var progress = Progress.of("convert", Progress.Unit.WEIGHTS, quiet, spec.commandLine().getErr())) {
            done = Converter.convert(request, listener(progress));
        } catch (RecipeException e) {
            throw new ParameterException(spec.commandLine(), e.getMessage(), e);
        }
        report.print(
                new Result(done.file().toString(), done.fileBytes(), done.recipe(), done.parameters(), done.layers(), done.warnings(),
                        done.seconds(), done.resumed()),
                "%s: %,d bytes, recipe %s, %,d parameters, %.1f s".formatted(done.file(), done.fileBytes(), done.recipe(),
                        done.parameters(), done.seconds()));
        return 0;
    }

    private int plan(ConvertRequest request) {
        var plan = Converter.plan(request);
        var a = plan.architecture();
        if (a != null) {
            report.print(json(request, plan), """
                    %s: %s, %d layers, width %d, feed-forward %d, %d heads (%d of K and V), vocabulary %d, context %d; %,d parameters
                    tokenizer: %s, chat template: %s, licence: %s
                    recipe %s makes %,d bytes; it takes about %,d MB of memory and %,d MB of disk while it works""".formatted(
                    source, a.family(), a.layers(), a.hidden(), a.intermediate(), a.heads(), a.kvHeads(), a.vocab(), a.context(),
                    plan.parameters(), plan.tokenizer().addBos() ? "adds BOS" : "adds no BOS", plan.chatTemplate() ? "yes" : "none",
                    plan.license() == null ? "not stated" : plan.license(), request.recipe().name(), plan.fileBytes(),
                    Math.ceilDiv(plan.memoryBytes(), 1_000_000), Math.ceilDiv(plan.diskBytes(), 1_000_000)));
        } else if (!report.forPeople()) {
            report.print(json(request, plan), "");
        }
        var err = spec.commandLine().getErr();
        plan.warnings().forEach(w -> err.println("spike4j: warning: " + w));
        plan.problems().forEach(p -> err.println("spike4j: " + p));
        err.flush();
        return plan.problems().isEmpty() ? 0 : 1;
    }

    private Plan json(ConvertRequest request, ConvertPlan plan) {
        return new Plan(source.toString(), request.recipe().name(), plan.architecture(), plan.parameters(), plan.tokenizer(),
                plan.chatTemplate(), plan.license(), plan.fileBytes(), plan.diskBytes(), plan.memoryBytes(), plan.warnings(), plan.problems());
    }

    private static ProgressListener listener(Progress progress) {
        return new ProgressListener() {
            @Override
            public void progress(String phase, long done, long total) {
                progress.progress(phase, done, total);
            }

            @Override
            public void resumed(long done, long total) {
                progress.resumed(done, total);
            }

            @Override
            public void warning(String message) {
                progress.warning(message);
            }
        };
    }

    private Recipe recipe() {
        try {
            return Recipes.change(Recipes.resolve(recipe), changes.map());
        } catch (RecipeException e) {
            throw new ParameterException(spec.commandLine(), e.getMessage(), e);
        }
    }
}
