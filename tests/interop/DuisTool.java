import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Paths;

/**
 * Runs the independent tool for many documents in one JVM. One line of standard input for each, tab between:
 * "validate", document, certificate; or "sign", document, certificate, key, result. One line of output for each:
 * document, result code, what the tool said.
 */
public final class DuisTool {
  private DuisTool() {
  }

  public static void main(final String[] arguments) throws Exception {
    String tool = "uk.co.smartdcc.boxed.xmldsig.";
    Method validate = Class.forName(tool + "Validate").getMethod("main_aux", String[].class);
    Method sign = Class.forName(tool + "Sign").getMethod("main_aux", String[].class);
    PrintStream answers = System.out;
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] parts = line.split("\t");
      ByteArrayOutputStream made = new ByteArrayOutputStream();
      ByteArrayOutputStream said = new ByteArrayOutputStream();
      System.setOut(new PrintStream(made, true));
      System.setErr(new PrintStream(said, true));
      Object code;
      if (parts[0].equals("validate")) {
        code = validate.invoke(null, (Object) new String[] {parts[1], parts[2]});
      } else {
        code = sign.invoke(null, (Object) new String[] {"--preserveCounter", parts[1], parts[2], parts[3]});
        Files.write(Paths.get(parts[4]), made.toByteArray());
      }
      answers.println(parts[1] + "\t" + code + "\t" + said.toString().replace('\n', ' '));
    }
  }
}
