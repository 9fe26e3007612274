using System.Buffers.Text;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Cube.Attestation.Atls;

namespace Cube.Agent.Evidence.Azure;

/// <summary>
/// Reads certificates and quotes from Azure's host over http on a link-local address.
/// The agent forwards them unchecked; the Verifier checks them.
/// </summary>
internal sealed class ImdsClient(HttpClient http, Uri address)
{
    /// <summary>Maximum size of a response in bytes, enforced while it is read.</summary>
    public const int MaxResponseBytes = 128 * 1024;

    /// <summary>VCEK and its chain, DER, leaf first.</summary>
    public async Task<IReadOnlyList<byte[]>> AmdCertificatesAsync(CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address, "/metadata/THIM/amd/certification"));
        using var json = await AskAsync(request, ct);
        return [.. Certificates(json, "vcekCert"), .. Certificates(json, "certificateChain")];
    }

    public async Task<byte[]> TdQuoteAsync(byte[] tdReport, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, "/acc/tdquote")) { Content = JsonContent.Create(new { report = Base64Url.EncodeToString(tdReport) }) };
        using var json = await AskAsync(request, ct);
        try
        {
            return Base64Url.DecodeFromChars(json.RootElement.GetProperty("quote").GetString());
        }
        catch (Exception exception) when (exception is FormatException or KeyNotFoundException or InvalidOperationException)
        {
            throw new EvidenceUnavailableException("The host's quote cannot be parsed.", exception);
        }
    }

    private static List<byte[]> Certificates(JsonDocument json, string name)
    {
        ReadOnlySpan<char> rest = json.RootElement.TryGetProperty(name, out var text) ? text.GetString() : null;
        var found = new List<byte[]>();
        while (System.Security.Cryptography.PemEncoding.TryFind(rest, out var fields))
        {
            var der = new byte[fields.DecodedDataLength];
            if (Convert.TryFromBase64Chars(rest[fields.Base64Data], der, out _))
            {
                found.Add(der);
            }

            rest = rest[fields.Location.End..];
        }

        return found.Count > 0 ? found : throw new EvidenceUnavailableException("The host's certificates cannot be parsed.");
    }

    private async Task<JsonDocument> AskAsync(HttpRequestMessage request, CancellationToken ct)
    {
        request.Headers.Add("Metadata", "true");
        try
        {
            using var response = await http.SendAsync(request, ct);
            response.EnsureSuccessStatusCode();
            return JsonDocument.Parse(Encoding.UTF8.GetString(await response.Content.ReadAsByteArrayAsync(ct)));
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException || (exception is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new EvidenceUnavailableException("The host's metadata service does not respond.", exception);
        }
    }
}
