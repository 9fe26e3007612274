using System.Buffers.Binary;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Snp;

/// <summary>
/// ATTESTATION_REPORT of the SEV-SNP ABI specification, versions 2 to 5; 1184 bytes, little-endian.
/// <code>
/// 000  4 VERSION          004  4 GUEST_SVN         008  8 POLICY           010 16 FAMILY_ID       020 16 IMAGE_ID
/// 030  4 VMPL             034  4 SIGNATURE_ALGO    038  8 CURRENT_TCB      040  8 PLATFORM_INFO
/// 048  4 bit 0 AUTHOR_KEY_EN, bit 1 MASK_CHIP_KEY, bits 4:2 SIGNING_KEY, bits 31:5 zero
/// 050 64 REPORT_DATA      090 48 MEASUREMENT       0C0 32 HOST_DATA        0E0 48 ID_KEY_DIGEST   110 48 AUTHOR_KEY_DIGEST
/// 140 32 REPORT_ID        160 32 REPORT_ID_MA      180  8 REPORTED_TCB     188  3 family, model, stepping (from version 3)
/// 1A0 64 CHIP_ID          1E0  8 COMMITTED_TCB     1E8  3 current build, minor, major     1EC 3 committed build, minor, major
/// 1F0  8 LAUNCH_TCB       1F8  8 LAUNCH_MIT_VECTOR 200  8 CURRENT_MIT_VECTOR (from version 5)
/// 2A0 72 R, 2E8 72 S, little-endian, zero-extended; zero to the end. Signed are the bytes 000 to 29F.
/// </code>
/// </summary>
internal sealed class SnpReport
{
    public const int Size = 0x4A0;
    private const int SignedSize = 0x2A0;
    private readonly byte[] _bytes;

    private SnpReport(byte[] bytes)
    {
        _bytes = bytes;
        Generation = SnpGeneration.Of(this);
    }

    public ReadOnlySpan<byte> Signed => _bytes.AsSpan(0, SignedSize);

    public uint Version => U32(0x000);

    public uint GuestSvn => U32(0x004);

    public ulong Policy => U64(0x008);

    public bool AllowsDebug => (Policy & 1UL << 19) != 0;

    public bool AllowsMigrationAgent => (Policy & 1UL << 18) != 0;

    public ReadOnlyMemory<byte> FamilyId => _bytes.AsMemory(0x010, 16);

    public ReadOnlyMemory<byte> ImageId => _bytes.AsMemory(0x020, 16);

    public uint Vmpl => U32(0x030);

    public bool IsSignedByVlek => (U32(0x048) >> 2 & 7) == 1;

    public ReadOnlyMemory<byte> ReportData => _bytes.AsMemory(0x050, 64);

    public ReadOnlyMemory<byte> Measurement => _bytes.AsMemory(0x090, 48);

    public ReadOnlyMemory<byte> HostData => _bytes.AsMemory(0x0C0, 32);

    public ReadOnlyMemory<byte> IdKeyDigest => _bytes.AsMemory(0x0E0, 48);

    public ReadOnlyMemory<byte> AuthorKeyDigest => _bytes.AsMemory(0x110, 48);

    public ReadOnlyMemory<byte> ChipId => _bytes.AsMemory(0x1A0, 64);

    public byte Family => Version >= 3 ? _bytes[0x188] : (byte)0;

    public byte Model => Version >= 3 ? _bytes[0x189] : (byte)0;

    /// <summary>Null if unknown: version 2 contains no CPUID.</summary>
    public SnpGeneration? Generation { get; }

    public SnpTcb ReportedTcb => Tcb(0x180);

    public SnpTcb CommittedTcb => Tcb(0x1E0);

    public SnpTcb LaunchTcb => Tcb(0x1F0);

    /// <summary>major.minor.build of the running firmware.</summary>
    public Version CurrentFirmware => new(_bytes[0x1EA], _bytes[0x1E9], _bytes[0x1E8]);

    /// <summary>CURRENT_MIT_VECTOR; 0 before version 5.</summary>
    public ulong CurrentMitigations => Version >= 5 ? U64(0x200) : 0;

    /// <exception cref="AppraisalException">One of the codes of AMD SEV-SNP.</exception>
    public static SnpReport Parse(ReadOnlySpan<byte> bytes)
    {
        AppraisalException.ThrowUnless(bytes.Length == Size, Codes.ReportSize, $"A report must have {Size} bytes, but has {bytes.Length}.");
        var report = new SnpReport(bytes.ToArray());
        AppraisalException.ThrowUnless(report.Version is >= 2 and <= 5, Codes.ReportVersion, $"Reports of version {report.Version} are not supported.");
        AppraisalException.ThrowUnless(report.U32(0x034) == 1, Codes.SigAlgo, "The report is not signed with ECDSA P-384 and SHA-384.");
        var keys = report.U32(0x048);
        AppraisalException.ThrowUnless(keys >> 5 == 0, Codes.ReservedBits, "Reserved bits of the signing key field are set.");
        var signingKey = keys >> 2 & 7;
        AppraisalException.ThrowUnless(signingKey is 0 or 1, Codes.SigningKey, "The report is signed by neither a VCEK nor a VLEK.");
        AppraisalException.ThrowUnless(signingKey == 1 || (keys & 2) == 0, Codes.SigningKey, "The report is signed by a VCEK, but MASK_CHIP_KEY is set.");
        return report;
    }

    /// <returns>r and s, 48 bytes each, big-endian; null if they are longer, or if the padding is not zero.</returns>
    public byte[]? Signature()
    {
        var tail = _bytes.AsSpan(SignedSize);
        if (tail[48..72].ContainsAnyExcept((byte)0) || tail[120..].ContainsAnyExcept((byte)0))
        {
            return null;
        }

        var signature = new byte[96];
        for (var i = 0; i < 48; i++)
        {
            signature[i] = tail[47 - i];
            signature[48 + i] = tail[72 + 47 - i];
        }

        return signature;
    }

    private SnpTcb Tcb(int offset) => SnpTcb.Parse(_bytes.AsSpan(offset, 8), Generation is { HasFmc: true });

    private uint U32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset));

    private ulong U64(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(offset));
}
