using System.Diagnostics;
using System.Text.Json;
using Cube.Attestation.Evidence;
using Cube.Attestation.Simulated;
using Cube.Tests.Attestation.Synthetic;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Attestation;

/// <summary>Exit codes and output of <c>cube-attest</c>.</summary>
public sealed class CommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cube-attest-").FullName;

    [Fact]
    public async Task Each_outcome_has_its_exit_code()
    {
        var genuine = Write("snp.json", EvidenceJson.Write(SyntheticAmd.Shared.Make(new()).Evidence));
        var simulated = Write("simulated.json", EvidenceJson.Write(SimulatedEvidence.Make(new byte[64], SyntheticAmd.Now)));
        // The root is not AMD's.
        Assert.Equal((1, "untrusted-root"), await VerifyAsync(genuine, "--at", "2026-06-15T00:00:00Z"));
        Assert.Equal((3, "policy-missing"), await VerifyAsync(simulated));
        Assert.Equal((1, "malformed"), await VerifyAsync(Write("bad.json", "{}"u8.ToArray())));
    }

    [Theory]
    [InlineData("verify")]
    [InlineData("verify", "@nothing")]
    [InlineData("verify", "@snp.json", "--at", "tomorrow")]
    [InlineData("verify", "@snp.json", "--binder", "00")]
    [InlineData("verify", "@snp.json", "--policy", "@policy.json")]
    [InlineData("explain", "@snp.json")]
    [InlineData("vectors", "@")]
    public async Task Invalid_arguments_have_exit_code_2(params string[] arguments)
    {
        Write("snp.json", EvidenceJson.Write(SyntheticAmd.Shared.Make(new()).Evidence));
        Write("policy.json", """{"types":["sev-snp"],"snp":{"measurements":["00"]}}"""u8.ToArray());
        Assert.Equal(2, (await RunAsync([.. arguments.Select(argument => argument.StartsWith('@') ? Path.Combine(_folder, argument[1..]) : argument)])).Code);
    }

    [Fact]
    public async Task Authentic_evidence_is_valid_only_with_a_policy()
    {
        Assert.SkipUnless(Vectors.AreAvailable, Vectors.Absent);
        var directory = Vectors.Of("tdx/v5-uptodate");
        Assert.Equal((4, "policy-missing"), await VerifyAsync(directory));
        var measurement = Convert.ToHexStringLower((await File.ReadAllBytesAsync(Path.Combine(directory, "quote.bin"))).AsSpan(54 + 136, 48));
        var (code, output) = await RunAsync("verify", directory, "--policy", Write("policy.json", System.Text.Encoding.UTF8.GetBytes($$$"""{"types":["tdx"],"tdx":{"mr_tds":["{{{measurement}}}"]}}""")));
        Assert.Equal(0, code);
        Assert.StartsWith("valid", output, StringComparison.Ordinal);
        Assert.Contains("ok   tdx.mr_tds", output, StringComparison.Ordinal);
        Assert.Equal((1, "policy-tdx-mr-tds"), await VerifyAsync(directory, "--policy", Write("other.json", System.Text.Encoding.UTF8.GetBytes($$$"""{"types":["tdx"],"tdx":{"mr_tds":["{{{new string('0', 96)}}}"]}}"""))));
        Assert.Equal((1, "report-data"), await VerifyAsync(Vectors.Of("snp/neg-reportdata-expectation")));
    }

    [Fact]
    public async Task A_vector_run_prints_one_JSON_line_per_case_and_fails_on_a_difference()
    {
        Assert.SkipUnless(Vectors.AreAvailable, Vectors.Absent);
        var (code, output) = await RunAsync("vectors", Vectors.Directory);
        Assert.Equal(0, code);
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => JsonElement.Parse(line)).ToList();
        Assert.Equal(Vectors.All.Count(), lines.Count);
        Assert.All(lines, static line => Assert.Equal(["id", "expected", "verdict", "code", "ms"], line.EnumerateObject().Select(static member => member.Name)));

        // An unknown technology is invalid, which differs from an expected valid verdict.
        Write("manifest.json", """[{"id":"x","tech":"new","verify":{},"expected":{"verdict":"valid"}}]"""u8.ToArray());
        Directory.CreateDirectory(Path.Combine(_folder, "x"));
        File.WriteAllBytes(Path.Combine(_folder, "x", "report.bin"), new byte[1184]);
        var (differs, line) = await RunAsync("vectors", _folder);
        Assert.Equal((1, "invalid"), (differs, JsonElement.Parse(line).GetProperty("verdict").GetString()));
    }

    private static async Task<(int Code, string? AppraisalException)> VerifyAsync(string evidence, params string[] options)
    {
        var (code, output) = await RunAsync(["verify", evidence, "--json", .. options]);
        return (code, JsonElement.Parse(output).GetProperty("code").GetString());
    }

    private static async Task<(int Code, string Output)> RunAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "cube-attest.dll"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        await errors;
        return (process.ExitCode, output);
    }

    private string Write(string name, byte[] content)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
