using System.Diagnostics;
using System.Text.Json;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Parsing;
using Cube.Attestation.Verdicts;

namespace Cube.Attestation.Cli;

/// <summary>Appraises every case of a manifest with the inputs that the case names, and without a policy. The product never appraises Evidence in this way.</summary>
internal static class VectorRun
{
    /// <summary>The verdict is valid, invalid or data. It does not depend on the expected verdict.</summary>
    public readonly record struct Result(string Verdict, string? Code, string? TcbStatus);

    /// <returns>0, or 1 if a verdict differs from the expected one.</returns>
    public static int Run(DirectoryInfo directory, TextWriter output, TimeProvider clock)
    {
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(directory.FullName, "manifest.json")));
        var differs = false;
        foreach (var entry in manifest.RootElement.EnumerateArray())
        {
            var id = entry.GetProperty("id").GetString()!;
            var expected = entry.GetProperty("expected").GetProperty("verdict").GetString();
            var started = Stopwatch.GetTimestamp();
            var result = Appraise(Path.Combine(directory.FullName, id), entry, clock);
            var milliseconds = Math.Round(Stopwatch.GetElapsedTime(started).TotalMilliseconds, 3);
            output.WriteLine(JsonSerializer.Serialize(new { id, expected, verdict = result.Verdict, code = result.Code, ms = milliseconds }));
            differs |= expected != result.Verdict;
        }

        return differs ? ExitCodes.Invalid : ExitCodes.Valid;
    }

    public static Result Appraise(string directory, JsonElement entry, TimeProvider clock)
    {
        try
        {
            var vector = new VectorCase(directory, entry);
            if (vector.IsData)
            {
                return new("data", null, null);
            }

            vector.RequireKnown();
            AppraisalException.ThrowUnless(!vector.IsSimulated, Codes.SimulatedNotAllowed, "Simulated evidence is never valid.");
            var evidence = vector.Evidence();
            var options = vector.OptionsWithOwnRoots(evidence);
            var claims = new EvidenceAppraiser(vector.Anchors(), options, vector.At(clock)).Appraise(evidence);
            Compare(options, claims);
            return new("valid", null, claims.Tdx?.TcbStatus?.ToString());
        }
        catch (AppraisalException exception)
        {
            return new("invalid", exception.Code, null);
        }
#pragma warning disable CA1031 // Fail closed: every exception is an invalid verdict.
        catch (Exception)
#pragma warning restore CA1031
        {
            return new("invalid", Codes.Internal, null);
        }
    }

    /// <summary>Compares inputs that the appraisal of the platform does not compare itself.</summary>
    private static void Compare(AppraisalOptions options, Claims claims)
    {
        var reportData = claims.Snp?.ReportData ?? claims.Tdx?.ReportData;
        AppraisalException.ThrowUnless(options.ReportData is not { } expected || (reportData is { } found && found.Span.SequenceEqual(expected)), Codes.ReportData, "REPORT_DATA differs from the expected value.");
        AppraisalException.ThrowUnless(options.Measurement is not { } measurement || claims.Snp is not { } snp || snp.Measurement.Span.SequenceEqual(measurement), Codes.GceMeasurement, "The measurement differs from the expected value.");
        AppraisalException.ThrowUnless(options.MrTd is not { } mrTd || claims.Tdx is not { } tdx || tdx.MrTd.Span.SequenceEqual(mrTd), Codes.GceMeasurement, "The MRTD differs from the expected value.");
    }
}
