using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Cube.Inference.Errors;
using Cube.Agent.Evidence.Providers;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;
using Cube.ServiceDefaults.Errors;

namespace Cube.Agent.Evidence;

/// <summary>
/// <c>POST /attestation</c>: Evidence on request of a caller, <c>{"report_data", "nonce": base64, "to_json": bool}</c>. The values of the caller
/// are hashed with a separate label before they reach the hardware. Otherwise an attacker could have the binder of another connection
/// signed here and intercept the connection between a proxy and this machine.
/// </summary>
internal static class AttestationEndpoint
{
    private const int MaxBody = 4096;

    public static void MapAttestation(this WebApplication app) => app.MapPost("/attestation", AnswerAsync);

    /// <summary>REPORT_DATA of this Evidence: SHA-512( "cube-attestation-v1" 0 ‖ L(report_data) ‖ L(nonce) ), L(x) = length u16 big-endian ‖ x.</summary>
    public static byte[] ReportData(ReadOnlySpan<byte> reportData, ReadOnlySpan<byte> nonce) => SHA512.HashData(
    [
        .. "cube-attestation-v1\0"u8, (byte)(reportData.Length >> 8), (byte)reportData.Length, .. reportData,
        (byte)(nonce.Length >> 8), (byte)nonce.Length, .. nonce,
    ]);

    private static async Task AnswerAsync(HttpContext context, EvidenceQueue queue)
    {
        if (await ReadAsync(context.Request) is not var (reportData, nonce, asJson))
        {
            await context.WriteAgentErrorAsync(OpenAiError.InvalidAttestationRequest);
            return;
        }

        EvidenceDocument evidence;
        try
        {
            var bound = ReportData(reportData, nonce);
            evidence = await queue.MakeForCallerAsync(new EvidenceRequest(bound, SHA256.HashData(bound)), context.RequestAborted);
        }
        catch (EvidenceUnavailableException)
        {
            await context.WriteAgentErrorAsync(OpenAiError.EvidenceUnavailable);
            return;
        }

        var raw = evidence.Report ?? evidence.Quote ?? evidence.HclReport ?? (evidence.Token is { } token ? Encoding.ASCII.GetBytes(token) : null);
        var isJson = asJson || raw is null;
        context.Response.ContentType = isJson ? "application/json" : "application/octet-stream";
        await context.Response.BodyWriter.WriteAsync(isJson ? EvidenceJson.Write(evidence) : raw!, context.RequestAborted);
    }

    private static async Task<(byte[] ReportData, byte[] Nonce, bool AsJson)?> ReadAsync(HttpRequest request)
    {
        if (request.ContentLength is > MaxBody)
        {
            return null;
        }

        try
        {
            var buffer = new byte[MaxBody + 1];
            var length = await request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, request.HttpContext.RequestAborted);
            using var json = JsonDocument.Parse(buffer.AsMemory(0, Math.Min(length, MaxBody)), new JsonDocumentOptions { AllowDuplicateProperties = false });
            var root = json.RootElement;
            if (root.ValueKind != JsonValueKind.Object || root.EnumerateObject().Any(static member => member.Name is not ("report_data" or "nonce" or "to_json")))
            {
                return null;
            }

            var (reportData, nonce) = (Bytes(root, "report_data"), Bytes(root, "nonce"));
            var asJson = root.TryGetProperty("to_json", out var flag) && flag.GetBoolean();
            return reportData.Length <= 64 && nonce.Length <= 32 ? (reportData, nonce, asJson) : null;
        }
        catch (Exception exception) when (exception is JsonException or FormatException or InvalidOperationException)
        {
            return null;
        }
    }

    private static byte[] Bytes(JsonElement root, string name) => root.TryGetProperty(name, out var value) ? value.GetBytesFromBase64() : [];
}
