using System.Buffers.Binary;
using System.Security.Cryptography;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>
/// The TD quote body (Intel TDX DCAP quoting library API, appendix A.3): 584 bytes, or 648 from TDX 1.5 on.
/// <code>
///   0 16 TEE_TCB_SVN    16 48 MRSEAM        64 48 MRSIGNERSEAM   112 8 SEAMATTRIBUTES   120 8 TDATTRIBUTES   128 8 XFAM
/// 136 48 MRTD          184 48 MRCONFIGID   232 48 MROWNER        280 48 MROWNERCONFIG   328 4×48 RTMR0..3    520 64 REPORTDATA
/// 584 16 TEE_TCB_SVN_2 600 48 MRSERVICETD
/// </code>
/// </summary>
internal sealed class TdQuoteBody(ReadOnlyMemory<byte> bytes)
{
    public const int Size10 = 584;
    public const int Size15 = 648;

    public ReadOnlyMemory<byte> TeeTcbSvn => bytes[..16];

    public ReadOnlyMemory<byte> MrSeam => bytes.Slice(16, 48);

    public ReadOnlyMemory<byte> MrSignerSeam => bytes.Slice(64, 48);

    public ReadOnlyMemory<byte> SeamAttributes => bytes.Slice(112, 8);

    public ReadOnlyMemory<byte> TdAttributes => bytes.Slice(120, 8);

    public ReadOnlyMemory<byte> Xfam => bytes.Slice(128, 8);

    public ReadOnlyMemory<byte> MrTd => bytes.Slice(136, 48);

    public ReadOnlyMemory<byte> MrConfigId => bytes.Slice(184, 48);

    public ReadOnlyMemory<byte> MrOwner => bytes.Slice(232, 48);

    public ReadOnlyMemory<byte> MrOwnerConfig => bytes.Slice(280, 48);

    public ReadOnlyMemory<byte> Rtmr(int index) => bytes.Slice(328 + 48 * index, 48);

    public ReadOnlyMemory<byte> ReportData => bytes.Slice(520, 64);

    /// <summary>TEE_TCB_SVN_2: the current TCB of the platform; null before TDX 1.5.</summary>
    public byte[]? TeeTcbSvn2 => bytes.Length == Size15 ? bytes.Slice(584, 16).ToArray() : null;

    private ulong Attributes => BinaryPrimitives.ReadUInt64LittleEndian(TdAttributes.Span);

    public bool IsDebug => (Attributes & 1) != 0;

    /// <summary>The TUD bits other than DEBUG: the TD is untrusted.</summary>
    public bool HasUntrustedBits => (Attributes & 0xFE) != 0;

    public bool SeptVeDisable => (Attributes & 1UL << 28) != 0;

    public bool IsMigratable => (Attributes & 1UL << 29) != 0;
}

/// <summary>
/// TDREPORT (Intel TDX module specification): 1024 bytes with a MAC that only the same processor can verify.
/// Azure's HCL report contains it next to the quote that was made from it.
/// <code>
///   0 type (0x81), subtype (0), version (0 or 1), zero, 16 CPUSVN, 32 48 SHA-384 of tee_tcb_info, 80 48 SHA-384 of tdinfo, 128 64 REPORTDATA, 192 32 zero, 224 32 MAC
/// 256 239 tee_tcb_info, 17 zero      512 512 tdinfo: MRTD @528, RTMR0 @720
/// </code>
/// </summary>
internal sealed class TdReport
{
    public const int Size = 1024;
    private readonly ReadOnlyMemory<byte> _bytes;

    private TdReport(ReadOnlyMemory<byte> bytes) => _bytes = bytes;

    public ReadOnlyMemory<byte> ReportData => _bytes.Slice(128, 64);

    public ReadOnlyMemory<byte> MrTd => _bytes.Slice(528, 48);

    /// <exception cref="AppraisalException">Code <see cref="Codes.AzTdReport"/>: wrong type, or a digest that does not match.</exception>
    public static TdReport Parse(ReadOnlyMemory<byte> bytes)
    {
        var span = bytes.Span;
        AppraisalException.ThrowUnless(span.Length == Size && span[0] == 0x81 && span[1] == 0 && span[2] <= 1 && !span[3..16].ContainsAnyExcept((byte)0) && !span[192..224].ContainsAnyExcept((byte)0)
            && !span[495..512].ContainsAnyExcept((byte)0), Codes.AzTdReport, "The structure is not a TDREPORT.");
        Span<byte> digest = stackalloc byte[48];
        SHA384.HashData(span.Slice(256, 239), digest);
        AppraisalException.ThrowUnless(digest.SequenceEqual(span.Slice(32, 48)), Codes.AzTdReport, "The tee_tcb_info of the TDREPORT does not match its digest.");
        SHA384.HashData(span.Slice(512, 512), digest);
        AppraisalException.ThrowUnless(digest.SequenceEqual(span.Slice(80, 48)), Codes.AzTdReport, "The tdinfo of the TDREPORT does not match its digest.");
        return new TdReport(bytes);
    }
}
