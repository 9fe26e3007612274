using System.Globalization;
using System.Text.Json;
using Cube.Agent.Evidence.Providers;
using Cube.Agent.Evidence.Tpm;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;

namespace Cube.Agent.Evidence.Azure;

/// <summary>
/// Generates Evidence on Azure's confidential VMs: the paravisor report from the vTPM's NV memory, and a quote of the vTPM for each request.
/// The hardware report dates from the boot or the last refresh; the quote proves freshness.
/// </summary>
internal sealed class AzureProvider(TpmCommands tpm, ImdsClient imds, TimeProvider time) : EvidenceProvider
{
    private const uint HclReport = 0x01400001;
    private const uint UserData = 0x01400002;
    private const uint AkCertificate = 0x01C101D0;
    private const uint Ak = 0x81000003;
    private const int TypeOffset = 1224;
    private const int ReportOffset = 32;
    private const int TdReportSize = 1024;

    /// <summary>Time that the paravisor needs for a new hardware report.</summary>
    private static readonly TimeSpan _refreshTakes = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan _refreshEvery = TimeSpan.FromHours(6);

    /// <summary>Bitmap of all 24 PCRs.</summary>
    private static readonly byte[] _registers = [0xFF, 0xFF, 0xFF];
    private string _type = EvidenceType.AzureSnp;
    private EvidenceDocument? _hardware;
    private DateTimeOffset _refreshedAt;

    public override string Type => _type;

    public async Task<bool> IsAvailableAsync(CancellationToken ct)
    {
        try
        {
            if (await tpm.NvReadAsync(HclReport, ct) is not { Length: > TypeOffset } hcl || !hcl.AsSpan(0, 4).SequenceEqual("HCLA"u8))
            {
                return false;
            }

            _type = hcl[TypeOffset] == 4 ? EvidenceType.AzureTdx : EvidenceType.AzureSnp;
            return hcl[TypeOffset] is 2 or 4;
        }
        catch (EvidenceUnavailableException)
        {
            return false;
        }
    }

    public override async ValueTask<EvidenceDocument> MakeAsync(EvidenceRequest request, CancellationToken ct)
    {
        var hardware = await HardwareAsync(ct);
        var quote = await tpm.QuoteAsync(Ak, request.Nonce, _registers, ct);
        var pcrs = await tpm.PcrReadAsync(_registers, ct);
        return hardware with
        {
            TpmQuotes = [quote],
            Pcrs = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, Dictionary<string, string>>
            {
                ["sha256"] = pcrs.ToDictionary(static pcr => pcr.Key.ToString(CultureInfo.InvariantCulture), static pcr => Convert.ToHexStringLower(pcr.Value)),
            }),
        };
    }

    /// <summary>Requests a new hardware report that covers 64 bytes of user data. Takes three seconds.</summary>
    public async Task<EvidenceDocument> RefreshAsync(byte[] userData, CancellationToken ct)
    {
        await tpm.NvWriteAsync(UserData, userData, ct);
        await Task.Delay(_refreshTakes, time, ct);
        _refreshedAt = time.GetUtcNow();
        _hardware = null;
        return await HardwareAsync(ct);
    }

    private async Task<EvidenceDocument> HardwareAsync(CancellationToken ct)
    {
        if (_hardware is { } kept && time.GetUtcNow() - _refreshedAt < _refreshEvery)
        {
            return kept;
        }

        if (_hardware is not null)
        {
            _hardware = null;
            return await RefreshAsync(System.Security.Cryptography.RandomNumberGenerator.GetBytes(64), ct);
        }

        var hcl = await tpm.NvReadAsync(HclReport, ct) ?? throw new EvidenceUnavailableException("The vTPM contains no paravisor report.");
        if (hcl.Length <= TypeOffset)
        {
            throw new EvidenceUnavailableException("The paravisor report is too short.");
        }

        var isTdx = hcl[TypeOffset] == 4;
        _type = isTdx ? EvidenceType.AzureTdx : EvidenceType.AzureSnp;
        var certificate = await tpm.NvReadAsync(AkCertificate, ct);
        var hardware = new EvidenceDocument
        {
            Type = _type,
            HclReport = hcl,
            Certificates = isTdx ? [] : await imds.AmdCertificatesAsync(ct),
            Quote = isTdx ? await imds.TdQuoteAsync(hcl.AsSpan(ReportOffset, TdReportSize).ToArray(), ct) : null,
            AkCertificates = certificate is null ? [] : [certificate],
        };
        _hardware = hardware;
        _refreshedAt = _refreshedAt == default ? time.GetUtcNow() : _refreshedAt;
        return hardware;
    }
}
