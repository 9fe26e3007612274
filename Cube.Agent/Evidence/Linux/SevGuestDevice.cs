using System.Runtime.InteropServices;
using Cube.Agent.Evidence.Providers;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;
using Microsoft.Win32.SafeHandles;

namespace Cube.Agent.Evidence.Linux;

/// <summary>
/// <c>/dev/sev-guest</c> (Linux, include/uapi/linux/sev-guest.h), for kernels without configfs-tsm.
/// <code>
/// snp_guest_request_ioctl 32: version u8, request pointer u64 @8, response pointer u64 @16, firmware error u64 @24
/// snp_ext_report_req 112:     user data 64, vmpl u32 @64, 28 reserved, certificates pointer u64 @96, length u32 @104
/// snp_report_resp 4000:       status u32, size u32, 24 reserved, report 1184 @32
/// </code>
/// </summary>
internal sealed partial class SevGuestDevice(string root) : EvidenceProvider
{
    private const uint GetExtendedReport = 0xC0205302;
    private const int ReportSize = 1184;
    private const int CertificatesSize = 0x4000;
    private readonly string _path = Path.Combine(root, "dev/sev-guest");

    public override string Type => EvidenceType.SevSnp;

    public bool IsAvailable() => OperatingSystem.IsLinux() && File.Exists(_path);

    public override ValueTask<EvidenceDocument> MakeAsync(EvidenceRequest request, CancellationToken ct)
    {
        try
        {
            return ValueTask.FromResult(Make(request.ReportData));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EvidenceUnavailableException("The device returned no report.", exception);
        }
    }

    private unsafe EvidenceDocument Make(byte[] reportData)
    {
        using var device = File.OpenHandle(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        Span<byte> call = stackalloc byte[32];
        Span<byte> request = stackalloc byte[112];
        var response = new byte[4000];
        var certificates = (byte*)NativeMemory.AlignedAlloc(CertificatesSize, 0x1000);
        try
        {
            new Span<byte>(certificates, CertificatesSize).Clear();
            reportData.CopyTo(request);
            BitConverter.TryWriteBytes(request[96..], (ulong)certificates);
            BitConverter.TryWriteBytes(request[104..], CertificatesSize);
            fixed (byte* callPointer = call, requestPointer = request, responsePointer = response)
            {
                call[0] = 1;
                BitConverter.TryWriteBytes(call[8..], (ulong)requestPointer);
                BitConverter.TryWriteBytes(call[16..], (ulong)responsePointer);
                if (Ioctl(device, GetExtendedReport, callPointer) != 0)
                {
                    throw new IOException($"ioctl: error {Marshal.GetLastPInvokeError()}, firmware error {BitConverter.ToUInt64(call[24..]):x}");
                }
            }

            if (BitConverter.ToUInt32(response) != 0)
            {
                throw new IOException($"The firmware returned status {BitConverter.ToUInt32(response)}.");
            }

            var table = new ReadOnlySpan<byte>(certificates, CertificatesSize).ToArray();
            return new EvidenceDocument
            {
                Type = EvidenceType.SevSnp,
                Report = response.AsSpan(32, ReportSize).ToArray(),
                CertificateTable = table.AsSpan().ContainsAnyExcept((byte)0) ? table : null,
            };
        }
        finally
        {
            NativeMemory.AlignedFree(certificates);
        }
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static unsafe partial int Ioctl(SafeFileHandle device, nuint request, void* argument);
}
