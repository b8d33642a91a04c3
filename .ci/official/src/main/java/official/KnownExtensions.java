package official;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.hl7.fhir.r4.model.ElementDefinition;
import org.hl7.fhir.r4.model.ElementDefinition.DiscriminatorType;
import org.hl7.fhir.r4.model.ElementDefinition.SlicingRules;
import org.hl7.fhir.r4.model.Enumerations.FHIRVersion;
import org.hl7.fhir.r4.model.Enumerations.PublicationStatus;
import org.hl7.fhir.r4.model.StructureDefinition;
import org.hl7.fhir.r4.model.StructureDefinition.ExtensionContextType;
import org.hl7.fhir.r4.model.StructureDefinition.StructureDefinitionKind;
import org.hl7.fhir.r4.model.StructureDefinition.TypeDerivationRule;
import org.hl7.fhir.r4.model.UriType;

/**
 * Extensions of HL7 that are newer than the R4 package, as StructureDefinitions, so that their place and type are checked.
 *
 * <p>A row of the table: url; elements where it may stand, separated by blanks; type of the value, or empty; parts of a complex
 * extension as {@code name:type}, separated by blanks; source.
 */
final class KnownExtensions {
  private static final String BASE = "http://hl7.org/fhir/StructureDefinition/Extension";

  private KnownExtensions() {}

  static List<StructureDefinition> read(Path table) throws IOException {
    List<StructureDefinition> found = new ArrayList<>();
    List<String> lines = Files.readAllLines(table);
    for (String line : lines.subList(1, lines.size())) {
      String[] cells = line.split(",", -1);
      found.add(definition(cells[0], cells[1], cells[2], cells[3]));
    }
    return found;
  }

  private static StructureDefinition definition(String url, String contexts, String type, String parts) {
    StructureDefinition definition = new StructureDefinition();
    String name = url.substring(url.lastIndexOf('/') + 1);
    definition.setUrl(url).setName(name.replaceAll("[^A-Za-z0-9]", "_")).setStatus(PublicationStatus.ACTIVE);
    definition.setFhirVersion(FHIRVersion._4_0_1).setKind(StructureDefinitionKind.COMPLEXTYPE).setAbstract(false);
    definition.setType("Extension").setBaseDefinition(BASE).setDerivation(TypeDerivationRule.CONSTRAINT);
    for (String context : contexts.split(" ")) {
      definition.addContext().setType(ExtensionContextType.ELEMENT).setExpression(context);
    }
    element(definition, "Extension", "Extension").setMin(0).setMax("*");
    ElementDefinition nested = element(definition, "Extension.extension", "Extension.extension");
    if (parts.isEmpty()) {
      nested.setMax("0");
    } else {
      nested.getSlicing().setRules(SlicingRules.CLOSED).addDiscriminator().setType(DiscriminatorType.VALUE).setPath("url");
    }
    for (String part : parts.isEmpty() ? new String[0] : parts.split(" ")) {
      String slice = part.substring(0, part.indexOf(':'));
      String id = "Extension.extension:" + slice;
      element(definition, id, "Extension.extension").setSliceName(slice).setMin(0).setMax("1");
      element(definition, id + ".extension", "Extension.extension.extension").setMax("0");
      element(definition, id + ".url", "Extension.extension.url").setFixed(new UriType(slice));
      element(definition, id + ".value[x]", "Extension.extension.value[x]").addType().setCode(part.substring(part.indexOf(':') + 1));
    }
    element(definition, "Extension.url", "Extension.url").setFixed(new UriType(url));
    ElementDefinition value = element(definition, "Extension.value[x]", "Extension.value[x]");
    if (type.isEmpty()) {
      value.setMax("0");
    } else {
      value.addType().setCode(type);
    }
    return definition;
  }

  private static ElementDefinition element(StructureDefinition definition, String id, String path) {
    ElementDefinition element = definition.getDifferential().addElement();
    element.setId(id);
    return element.setPath(path);
  }
}
