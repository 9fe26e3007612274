using System.Net;
using Cube.Attestation.Tdx;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation.Collateral;

/// <summary>A vendor did not respond, or its response is not valid.</summary>
internal sealed class VendorException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Fetches collateral from AMD and Intel at the configured addresses, and the token keys of Microsoft Azure Attestation from the issuers that a policy names. It does not verify the documents.
/// Every method throws <see cref="VendorException"/> if the vendor does not respond, responds with an error, or sends more than 1 MiB.
/// </summary>
internal sealed class VendorClient(IHttpClientFactory clients, IOptions<CollateralOptions> options)
{
    public const string ClientName = "collateral";
    private const int MaxResponseBytes = 1 << 20;

    /// <param name="path">Path below the KDS, with chip id and TCB.</param>
    public Task<byte[]> GetVcekAsync(string path, CancellationToken ct) => GetBytesAsync(new Uri(options.Value.AmdKds, path), ct);

    /// <param name="product">Milan, Genoa or Turin.</param>
    public Task<byte[]> GetAmdCrlAsync(string product, bool isVlek, CancellationToken ct) =>
        GetBytesAsync(new Uri(options.Value.AmdKds, $"/{(isVlek ? "vlek" : "vcek")}/v1/{product}/crl"), ct);

    /// <summary>Fetches TCB info, QE identity and both revocation lists, and assembles them into one document.</summary>
    /// <param name="fmspc">12 hexadecimal digits.</param>
    /// <param name="ca">platform or processor.</param>
    public async Task<byte[]> GetIntelCollateralAsync(string fmspc, string ca, CancellationToken ct)
    {
        var (tcb, tcbChain) = await GetWithIssuerChainAsync($"/tdx/certification/v4/tcb?fmspc={fmspc}", "TCB-Info-Issuer-Chain", ct);
        var (qe, qeChain) = await GetWithIssuerChainAsync("/tdx/certification/v4/qe/identity", "SGX-Enclave-Identity-Issuer-Chain", ct);
        var (crl, crlChain) = await GetWithIssuerChainAsync($"/sgx/certification/v4/pckcrl?ca={ca}&encoding=der", "SGX-PCK-CRL-Issuer-Chain", ct);
        var root = await GetBytesAsync(new Uri(options.Value.IntelCertificates, "/IntelSGXRootCA.der"), ct);
        var collateral = TdxCollateralConverter.Assemble(tcb, tcbChain, qe, qeChain, crl, crlChain, root) ?? throw new VendorException("The proxy cannot read Intel's collateral.");
        return TdxCollateralConverter.ToJson(collateral);
    }

    /// <param name="issuer">URL of a Microsoft Azure Attestation instance.</param>
    public Task<byte[]> GetMaaKeysAsync(string issuer, CancellationToken ct) => GetBytesAsync(new Uri(issuer + "/certs"), ct);

    private async Task<(byte[] Body, string Chain)> GetWithIssuerChainAsync(string path, string header, CancellationToken ct)
    {
        using var response = await SendAsync(new Uri(options.Value.IntelPcs, path), ct);
        var chain = response.Headers.TryGetValues(header, out var values) ? WebUtility.UrlDecode(values.First()) : throw new VendorException($"Intel's response has no header {header}.");
        return (await response.Content.ReadAsByteArrayAsync(ct), chain);
    }

    private async Task<byte[]> GetBytesAsync(Uri address, CancellationToken ct)
    {
        using var response = await SendAsync(address, ct);
        return await response.Content.ReadAsByteArrayAsync(ct);
    }

    private async Task<HttpResponseMessage> SendAsync(Uri address, CancellationToken ct)
    {
        try
        {
            var client = clients.CreateClient(ClientName);
            // HttpClient enforces this limit while it reads the response, whatever Content-Length states.
            client.MaxResponseContentBufferSize = MaxResponseBytes;
            var response = await client.GetAsync(address, ct);
            response.EnsureSuccessStatusCode();
            return response;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException || (exception is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new VendorException($"{address.Host} does not respond.", exception);
        }
    }
}
