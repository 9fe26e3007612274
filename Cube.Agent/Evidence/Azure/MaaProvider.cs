using System.Buffers.Binary;
using System.Buffers.Text;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Cube.Agent.Evidence.Providers;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;

namespace Cube.Agent.Evidence.Azure;

/// <summary>
/// Sends a token of Microsoft Azure Attestation instead of hardware Evidence. The binder is in the runtime
/// data that the hardware report covers. The nonce of the request to Microsoft is not used: it would bind nothing.
/// </summary>
internal sealed class MaaProvider(EvidenceProvider hardware, HttpClient http, Uri instance) : EvidenceProvider
{
    /// <summary>Maximum size of a response in bytes, enforced while it is read.</summary>
    public const int MaxResponseBytes = 64 * 1024;
    private const int RuntimeSizeOffset = 1232;
    private const int RuntimeOffset = 1236;

    public override string Type => EvidenceType.Maa;

    public override async ValueTask<EvidenceDocument> MakeAsync(EvidenceRequest request, CancellationToken ct)
    {
        if (hardware is AzureProvider azure)
        {
            // The paravisor writes the runtime data, which contain the binder.
            var made = await azure.RefreshAsync(request.ReportData, ct);
            var hcl = made.HclReport!;
            var runtime = hcl.AsSpan(RuntimeOffset, (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(hcl.AsSpan(RuntimeSizeOffset)), (uint)(hcl.Length - RuntimeOffset))).ToArray();
            return await AskAsync(made with { Report = made.Quote is null ? hcl.AsSpan(32, 1184).ToArray() : null }, runtime, ct);
        }

        var own = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string> { ["user-data"] = Convert.ToHexString(request.ReportData) });
        var covering = new byte[64];
        SHA256.HashData(own, covering);
        return await AskAsync(await hardware.MakeAsync(request with { ReportData = covering }, ct), own, ct);
    }

    private async Task<EvidenceDocument> AskAsync(EvidenceDocument evidence, byte[] runtime, CancellationToken ct)
    {
        var runtimeData = new { data = Base64Url.EncodeToString(runtime), dataType = "JSON" };
        var (path, body) = evidence.Quote is { } quote
            ? ("/attest/TdxVm?api-version=2025-06-01", (object)new { quote = Base64Url.EncodeToString(quote), runtimeData })
            : ("/attest/SevSnpVm?api-version=2022-08-01", new { report = Base64Url.EncodeToString(SnpReport(evidence)), runtimeData });
        try
        {
            using var response = await http.PostAsJsonAsync(new Uri(instance, path), body, ct);
            response.EnsureSuccessStatusCode();
            using var json = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(ct));
            return new EvidenceDocument { Type = EvidenceType.Maa, Token = json.RootElement.GetProperty("token").GetString() };
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException or KeyNotFoundException or InvalidOperationException
            || (exception is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new EvidenceUnavailableException("Microsoft Azure Attestation issued no token.", exception);
        }
    }

    private static byte[] SnpReport(EvidenceDocument evidence)
    {
        var pem = new StringBuilder();
        foreach (var certificate in evidence.Certificates)
        {
            pem.Append(PemEncoding.Write("CERTIFICATE", certificate)).Append('\n');
        }

        return JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string>
        {
            ["SnpReport"] = Base64Url.EncodeToString(evidence.Report),
            ["VcekCertChain"] = Base64Url.EncodeToString(Encoding.ASCII.GetBytes(pem.ToString())),
        });
    }
}
