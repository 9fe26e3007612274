using System.Net;
using Cube.Attestation.Tdx;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation.Collateral;

/// <summary>A vendor did not answer, or with something else than was asked.</summary>
internal sealed class VendorException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Asks AMD, Intel and Microsoft, at their configured addresses and nowhere else. What comes is signed by them, and judged before it is kept.</summary>
internal sealed class VendorClient(IHttpClientFactory clients, IOptions<CollateralOptions> options)
{
    public const string ClientName = "collateral";
    private const int Most = 1 << 20;

    public Task<byte[]> VcekAsync(string path, CancellationToken ct) => BytesAsync(new Uri(options.Value.AmdKds, path), ct);

    public Task<byte[]> AmdCrlAsync(string product, bool isVlek, CancellationToken ct) =>
        BytesAsync(new Uri(options.Value.AmdKds, $"/{(isVlek ? "vlek" : "vcek")}/v1/{product}/crl"), ct);

    public async Task<byte[]> IntelAsync(string fmspc, string ca, CancellationToken ct)
    {
        var (tcb, tcbChain) = await WithChainAsync($"/tdx/certification/v4/tcb?fmspc={fmspc}", "TCB-Info-Issuer-Chain", ct);
        var (qe, qeChain) = await WithChainAsync("/tdx/certification/v4/qe/identity", "SGX-Enclave-Identity-Issuer-Chain", ct);
        var (crl, crlChain) = await WithChainAsync($"/sgx/certification/v4/pckcrl?ca={ca}&encoding=der", "SGX-PCK-CRL-Issuer-Chain", ct);
        var root = await BytesAsync(new Uri(options.Value.IntelCertificates, "/IntelSGXRootCA.der"), ct);
        var collateral = TdxCollateralConverter.Assemble(tcb, tcbChain, qe, qeChain, crl, crlChain, root) ?? throw new VendorException("Intel's collateral cannot be read.");
        return TdxCollateralConverter.ToJson(collateral);
    }

    /// <summary>The keys of an instance that a policy names.</summary>
    public Task<byte[]> MaaKeysAsync(string issuer, CancellationToken ct) => BytesAsync(new Uri(issuer + "/certs"), ct);

    private async Task<(byte[] Body, string Chain)> WithChainAsync(string path, string header, CancellationToken ct)
    {
        using var response = await AskAsync(new Uri(options.Value.IntelPcs, path), ct);
        var chain = response.Headers.TryGetValues(header, out var values) ? WebUtility.UrlDecode(values.First()) : throw new VendorException($"Intel's answer has no {header}.");
        return (await response.Content.ReadAsByteArrayAsync(ct), chain);
    }

    private async Task<byte[]> BytesAsync(Uri address, CancellationToken ct)
    {
        using var response = await AskAsync(address, ct);
        return await response.Content.ReadAsByteArrayAsync(ct);
    }

    private async Task<HttpResponseMessage> AskAsync(Uri address, CancellationToken ct)
    {
        try
        {
            var client = clients.CreateClient(ClientName);
            // Counted while it is read, whatever length was announced.
            client.MaxResponseContentBufferSize = Most;
            var response = await client.GetAsync(address, ct);
            response.EnsureSuccessStatusCode();
            return response;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException || (exception is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new VendorException($"{address.Host} does not answer.", exception);
        }
    }
}
