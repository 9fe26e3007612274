using System.Text.Json;
using System.Text.Json.Serialization;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Azure;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;
using Cube.Attestation.Policy;
using Cube.Attestation.Verdicts;

namespace Cube.Attestation.Cli;

/// <summary>The arguments of <c>cube-attest verify</c>.</summary>
internal sealed record VerifyRequest(FileSystemInfo Evidence, FileInfo? Policy, DateTimeOffset? At, byte[]? Binder, FileInfo? GoogleRoot, FileInfo? MaaKeys);

/// <summary>
/// Appraises one piece of Evidence: a file of <see cref="EvidenceJson"/>, or a directory with a <c>case.json</c>.
/// The Trust Anchors are the vendors' and those that the operator names, never those of the Evidence.
/// </summary>
internal static class VerifyCommand
{
    private static readonly JsonSerializerOptions _json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    /// <exception cref="PolicyException">The policy is invalid.</exception>
    /// <exception cref="AppraisalException">The evidence cannot be parsed.</exception>
    public static Verdict Verify(VerifyRequest request, TimeProvider clock)
    {
        List<NamedPolicy> policies = request.Policy is { } file
            ? [new NamedPolicy(file.Name, 1, PolicyJson.Parse(File.ReadAllBytes(file.FullName), allowSimulated: true))]
            : [];
        var keys = request.MaaKeys is { } jwks ? File.ReadAllBytes(jwks.FullName) : null;
        var verifier = new EvidenceVerifier(new VerifierSettings
        {
            AllowSimulated = true,
            MaaKeys = _ => keys,
            GoogleRoot = request.GoogleRoot is { } root ? File.ReadAllBytes(root.FullName) : null,
        });
        if (request.Evidence is DirectoryInfo directory)
        {
            return VerifyCase(directory, verifier, policies, request, clock);
        }

        var evidence = EvidenceJson.Read(File.ReadAllBytes(request.Evidence.FullName));
        var at = request.At ?? clock.GetUtcNow();
        return request.Binder is { } binder
            ? verifier.Verify(evidence, new BindingContext(binder, Binding.Connection, "given", []), policies, at)
            : verifier.VerifyDetached(evidence, policies, at);
    }

    public static void Write(Verdict verdict, bool asJson, TextWriter output)
    {
        if (asJson)
        {
            output.WriteLine(JsonSerializer.Serialize(verdict, _json));
            return;
        }

        output.WriteLine($"{Kebab(verdict.Outcome)}{(verdict.Code is { } code ? $" ({code})" : string.Empty)}");
        if (verdict.Detail is { } detail)
        {
            output.WriteLine(detail);
        }

        output.WriteLine();
        foreach (var (name, value) in Facts(verdict))
        {
            output.WriteLine($"  {name,-16} {value}");
        }

        if (verdict.Findings.Count > 0)
        {
            output.WriteLine();
            foreach (var finding in verdict.Findings)
            {
                output.WriteLine($"  {(finding.Ok ? "ok  " : "FAIL")} {finding.Field}: expected {finding.Expected}; found {finding.Found}");
            }
        }
    }

    private static Verdict VerifyCase(DirectoryInfo directory, EvidenceVerifier verifier, List<NamedPolicy> policies, VerifyRequest request, TimeProvider clock)
    {
        using var entry = Json.Parse(File.ReadAllBytes(Path.Combine(directory.FullName, "case.json")), Codes.Malformed);
        var vector = new VectorCase(directory.FullName, entry.RootElement);
        AppraisalException.ThrowUnless(!vector.IsData, Codes.EvidencePart, "The directory contains no evidence.");
        vector.RequireKnown();
        var evidence = vector.Evidence();
        var options = vector.Options(evidence) with
        {
            MaaKeys = request.MaaKeys is { } keys ? MaaKeys.Parse(File.ReadAllBytes(keys.FullName)) : null,
            GoogleRoot = request.GoogleRoot is { } root ? Certificate.Parse(File.ReadAllBytes(root.FullName)) : null,
        };
        return verifier.Verify(evidence, policies, options, bound: null, request.At ?? vector.At(clock));
    }

    private static IEnumerable<(string Name, string Value)> Facts(Verdict verdict)
    {
        (string, string?)[] facts =
        [
            ("type", verdict.Type), ("product", verdict.Product), ("measurement", verdict.Measurement), ("tcb", verdict.Tcb), ("tcb status", verdict.TcbStatus),
            ("advisories", verdict.Advisories.Count > 0 ? string.Join(", ", verdict.Advisories) : null), ("chip (SHA-256)", verdict.ChipIdSha256),
            ("binding", Kebab(verdict.Binding)), ("evaluated at", verdict.EvaluatedAt.ToString("u")), ("valid until", verdict.ExpiresAt.ToString("u")),
            ("policy", verdict.PolicyId), ("evidence", verdict.EvidenceSha256),
        ];
        return facts.Where(static fact => !string.IsNullOrEmpty(fact.Item2)).Select(static fact => (fact.Item1, fact.Item2!));
    }

    private static string Kebab(Enum value) => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());
}
