package official;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import com.google.gson.JsonObject;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r4.model.StructureDefinition;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;

/**
 * Validates FHIR R4 files with the official InstanceValidator, all in one process.
 *
 * <p>Usage: {@code Validate DEFINITIONS EXTENSIONS LIST}. DEFINITIONS is a folder of StructureDefinitions that the files use; they
 * are loaded and validated themselves. EXTENSIONS is a table of extensions that are newer than the R4 package (see {@link
 * KnownExtensions}). LIST is a file of paths, each ended by NUL. Prints one JSON object a finding (file, severity, location,
 * id, message) and one object with the counts at the end. The exit status says only whether the run came to its end: what a finding
 * means is judged by who reads them.
 *
 * <p>Code systems whose content is not in the R4 package (LOINC, SNOMED CT) give findings of severity information.
 */
public final class Validate {
  private Validate() {}

  public static void main(String[] arguments) throws Exception {
    FhirContext context = FhirContext.forR4();
    List<Path> definitions;
    try (Stream<Path> found = Files.list(Path.of(arguments[0]))) {
      definitions = found.filter(path -> path.toString().endsWith(".json")).sorted().toList();
    }
    FhirValidator validator = validator(context, definitions, Path.of(arguments[1]));
    List<Path> files = new ArrayList<>(definitions);
    for (String path : Files.readString(Path.of(arguments[2])).split("\0")) {
      if (!path.isEmpty()) {
        files.add(Path.of(path));
      }
    }
    int findings = 0;
    try (PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8)) {
      ExecutorService workers = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors());
      List<Future<List<JsonObject>>> answers = new ArrayList<>();
      for (Path file : files) {
        answers.add(workers.submit(() -> findings(validator, file)));
      }
      for (Future<List<JsonObject>> answer : answers) {
        for (JsonObject finding : answer.get()) {
          findings++;
          out.println(finding);
        }
      }
      workers.shutdown();
      JsonObject counts = new JsonObject();
      counts.addProperty("files", files.size());
      counts.addProperty("findings", findings);
      out.println(counts);
    }
  }

  private static FhirValidator validator(FhirContext context, List<Path> definitions, Path extensions) throws Exception {
    PrePopulatedValidationSupport own = new PrePopulatedValidationSupport(context);
    for (Path definition : definitions) {
      own.addResource(context.newJsonParser().parseResource(Files.readString(definition)));
    }
    for (StructureDefinition extension : KnownExtensions.read(extensions)) {
      own.addResource(extension);
    }
    UnknownCodeSystemWarningValidationSupport unknownCodeSystems = new UnknownCodeSystemWarningValidationSupport(context);
    unknownCodeSystems.setNonExistentCodeSystemSeverity(IValidationSupport.IssueSeverity.INFORMATION);
    FhirInstanceValidator instanceValidator =
        new FhirInstanceValidator(
            new ValidationSupportChain(
                own,
                new DefaultProfileValidationSupport(context),
                new InMemoryTerminologyServerValidationSupport(context),
                new CommonCodeSystemsTerminologyService(context),
                new SnapshotGeneratingValidationSupport(context),
                unknownCodeSystems));
    instanceValidator.setErrorForUnknownProfiles(true);
    instanceValidator.setAnyExtensionsAllowed(false);
    instanceValidator.setBestPracticeWarningLevel(BestPracticeWarningLevel.Warning);
    return context.newValidator().registerValidatorModule(instanceValidator);
  }

  private static List<JsonObject> findings(FhirValidator validator, Path file) throws Exception {
    List<JsonObject> found = new ArrayList<>();
    for (SingleValidationMessage message : validator.validateWithResult(Files.readString(file)).getMessages()) {
      JsonObject finding = new JsonObject();
      finding.addProperty("file", file.toString());
      finding.addProperty("severity", message.getSeverity().getCode());
      finding.addProperty("location", message.getLocationString());
      finding.addProperty("id", message.getMessageId());
      finding.addProperty("message", message.getMessage());
      found.add(finding);
    }
    return found;
  }
}
