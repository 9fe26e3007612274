using System.CommandLine;
using System.Globalization;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Cli;
using Cube.Attestation.Parsing;
using Cube.Attestation.Policy;
using Cube.Attestation.Verdicts;

var evidence = new Argument<FileSystemInfo>("evidence") { Description = "A file with evidence as JSON, or a directory with a case.json." };
evidence.AcceptExistingOnly();
var policy = new Option<FileInfo>("--policy") { Description = "A file with an appraisal policy as JSON. Without a policy the verdict is never valid." };
policy.AcceptExistingOnly();
var at = new Option<DateTimeOffset?>("--at")
{
    Description = "The time of the appraisal, such as 2026-06-15T00:00:00Z. Default: the time in case.json, otherwise now.",
    CustomParser = static result =>
    {
        if (DateTimeOffset.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var instant))
        {
            return instant;
        }

        result.AddError("--at must be a date and time.");
        return null;
    },
};
var binder = new Option<string?>("--binder") { Description = "The binder that the evidence must contain: 64 bytes in hex." };
binder.Validators.Add(static result =>
{
    if (result.GetValueOrDefault<string?>() is { } hex && (hex.Length != 128 || !hex.All(char.IsAsciiHexDigit)))
    {
        result.AddError("--binder must be 64 bytes in hex.");
    }
});
var googleRoot = new Option<FileInfo>("--google-root") { Description = "A file with the root certificate of Google's launch endorsements, DER." };
googleRoot.AcceptExistingOnly();
var maaKeys = new Option<FileInfo>("--maa-keys") { Description = "A file with the JWKS of the Microsoft Azure Attestation issuer in the policy." };
maaKeys.AcceptExistingOnly();
var json = new Option<bool>("--json") { Description = "Print the complete verdict as JSON." };

var verify = new Command("verify", "Appraise evidence. Exit codes: 0 valid, 1 invalid, 2 usage error, 3 simulated, 4 indeterminate.") { evidence, policy, at, binder, googleRoot, maaKeys, json };
verify.SetAction(result =>
{
    try
    {
        var verdict = VerifyCommand.Verify(new VerifyRequest(
            result.GetRequiredValue(evidence), result.GetValue(policy), result.GetValue(at),
            result.GetValue(binder) is { } hex ? Convert.FromHexString(hex) : null, result.GetValue(googleRoot), result.GetValue(maaKeys)), TimeProvider.System);
        VerifyCommand.Write(verdict, result.GetValue(json), Console.Out);
        return ExitCodes.Of(verdict.Outcome);
    }
    catch (AppraisalException exception)
    {
        var now = TimeProvider.System.GetUtcNow();
        VerifyCommand.Write(
            new Verdict { Outcome = Outcome.Invalid, Code = exception.Code, Detail = exception.Message, Type = "unknown", EvaluatedAt = now, ExpiresAt = now, EvidenceSha256 = string.Empty },
            result.GetValue(json), Console.Out);
        return ExitCodes.Invalid;
    }
    catch (Exception exception) when (exception is PolicyException or IOException or UnauthorizedAccessException)
    {
        Console.Error.WriteLine($"cube-attest: {exception.Message}");
        return ExitCodes.Usage;
    }
});

var directory = new Argument<DirectoryInfo>("directory") { Description = "A directory with a manifest.json." };
directory.AcceptExistingOnly();
var vectors = new Command("vectors", "Appraise every case of a manifest and print one JSON line for each. Exit code 1 if a verdict differs from the expected one.") { directory };
vectors.SetAction(result =>
{
    try
    {
        return VectorRun.Run(result.GetRequiredValue(directory), Console.Out, TimeProvider.System);
    }
    catch (Exception exception) when (exception is IOException or System.Text.Json.JsonException or UnauthorizedAccessException or KeyNotFoundException or InvalidOperationException)
    {
        Console.Error.WriteLine($"cube-attest: the manifest cannot be read: {exception.Message}");
        return ExitCodes.Usage;
    }
});

var parsed = new RootCommand("Verifies attestation evidence of confidential machines.") { verify, vectors }.Parse(args);
if (parsed.Errors.Count > 0)
{
    foreach (var error in parsed.Errors)
    {
        Console.Error.WriteLine($"cube-attest: {error.Message}");
    }

    return ExitCodes.Usage;
}

return parsed.Invoke();
