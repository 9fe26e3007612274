using System.Buffers.Binary;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;

namespace Cube.Agent.Evidence.Tpm;

/// <summary>The TPM commands that Evidence needs (TPM 2.0 Library, part 3).</summary>
internal sealed class TpmCommands(TpmTransport transport)
{
    // TPM_ST, TPM_CC, TPM_RH
    private const ushort NoSessions = 0x8001;
    private const ushort Sessions = 0x8002;
    private const uint Owner = 0x40000001;

    /// <summary>Password session with the empty password of the owner hierarchy.</summary>
    private static readonly byte[] _emptyPassword = [0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0];

    /// <summary>Maximum number of bytes that all supported TPMs read or write per command.</summary>
    private const int Chunk = 1024;

    /// <returns>Null if the index does not exist.</returns>
    public async Task<byte[]?> NvReadAsync(uint index, CancellationToken ct)
    {
        int size;
        try
        {
            size = NvSize(await SendAsync(NoSessions, 0x169, U32(index), ct));
        }
        catch (EvidenceUnavailableException)
        {
            return null;
        }

        var content = new byte[size];
        for (var offset = 0; offset < size; offset += Chunk)
        {
            var count = Math.Min(Chunk, size - offset);
            var response = await SendAsync(Sessions, 0x14E, [.. U32(Owner), .. U32(index), .. _emptyPassword, .. U16(count), .. U16(offset)], ct);
            // After the header: size of the parameters, then a TPM2B.
            Sized(response.AsSpan(14), out _).CopyTo(content.AsSpan(offset));
        }

        return content;
    }

    /// <summary>Writes the index; defines it first if it does not exist.</summary>
    public async Task NvWriteAsync(uint index, byte[] content, CancellationToken ct)
    {
        if (await NvReadAsync(index, ct) is null)
        {
            // ownerWrite, authWrite, ownerRead, authRead; SHA-256 names
            byte[] area = [.. U32(index), .. U16(0x000B), .. U32(0x00060006), .. U16(0), .. U16(content.Length)];
            await SendAsync(Sessions, 0x12A, [.. U32(Owner), .. _emptyPassword, .. U16(0), .. U16(area.Length), .. area], ct);
        }

        for (var offset = 0; offset < content.Length; offset += Chunk)
        {
            var part = content.AsSpan(offset, Math.Min(Chunk, content.Length - offset)).ToArray();
            await SendAsync(Sessions, 0x137, [.. U32(Owner), .. U32(index), .. _emptyPassword, .. U16(part.Length), .. part, .. U16(offset)], ct);
        }
    }

    /// <returns>TPMT_PUBLIC.</returns>
    public async Task<byte[]> ReadPublicAsync(uint handle, CancellationToken ct) =>
        Sized((await SendAsync(NoSessions, 0x173, U32(handle), ct)).AsSpan(10), out _).ToArray();

    /// <summary>Quotes PCRs of the SHA-256 bank under the key's own scheme.</summary>
    public async Task<TpmQuoteParts> QuoteAsync(uint key, byte[] nonce, byte[] bitmap, CancellationToken ct)
    {
        var response = await SendAsync(
            Sessions, 0x158, [.. U32(key), .. _emptyPassword, .. U16(nonce.Length), .. nonce, .. U16(0x0010), .. U32(1), .. U16(0x000B), (byte)bitmap.Length, .. bitmap], ct);
        var size = (int)BinaryPrimitives.ReadUInt32BigEndian(response.AsSpan(10));
        var parameters = response.AsSpan(14, size);
        var message = Sized(parameters, out var rest);
        return new TpmQuoteParts(message.ToArray(), rest.ToArray());
    }

    /// <summary>Reads PCRs of the SHA-256 bank. The TPM returns up to eight per command and the bitmap of those.</summary>
    public async Task<SortedDictionary<int, byte[]>> PcrReadAsync(byte[] bitmap, CancellationToken ct)
    {
        var values = new SortedDictionary<int, byte[]>();
        var left = bitmap.ToArray();
        while (left.AsSpan().ContainsAnyExcept((byte)0))
        {
            var response = await SendAsync(NoSessions, 0x17E, [.. U32(1), .. U16(0x000B), (byte)left.Length, .. left], ct);
            Take(response.AsSpan(10), left, values);
        }

        return values;
    }

    private static void Take(ReadOnlySpan<byte> body, byte[] left, SortedDictionary<int, byte[]> values)
    {
        // update counter u32, count u32 { hash u16, size u8, bitmap }, count u32 { TPM2B }
        var selected = body.Slice(11, body[10]);
        var digests = body[(11 + selected.Length + 4)..];
        var before = values.Count;
        for (var register = 0; register < selected.Length * 8; register++)
        {
            if ((selected[register / 8] & 1 << register % 8) != 0)
            {
                values[register] = Sized(digests, out digests).ToArray();
                left[register / 8] &= (byte)~(1 << register % 8);
            }
        }

        if (values.Count == before)
        {
            throw new EvidenceUnavailableException("The TPM returned no PCR values.");
        }
    }

    public async Task<byte[]> SendAsync(ushort tag, uint code, byte[] body, CancellationToken ct)
    {
        byte[] command = [.. U16(tag), .. U32((uint)(10 + body.Length)), .. U32(code), .. body];
        try
        {
            return await transport.TransmitAsync(command, ct);
        }
        catch (ArgumentOutOfRangeException exception)
        {
            throw new EvidenceUnavailableException("The response of the TPM is truncated.", exception);
        }
    }

    private static int NvSize(byte[] response)
    {
        // TPM2B_NV_PUBLIC: size u16, index u32, name u16, attributes u32, policy TPM2B, data size u16
        var area = Sized(response.AsSpan(10), out _);
        Sized(area[10..], out var rest);
        var size = BinaryPrimitives.ReadUInt16BigEndian(rest);
        return size <= 16 * 1024 ? size : throw new EvidenceUnavailableException("An NV index of the TPM is too large.");
    }

    private static ReadOnlySpan<byte> Sized(ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> rest)
    {
        var size = bytes.Length >= 2 ? BinaryPrimitives.ReadUInt16BigEndian(bytes) : int.MaxValue;
        if (size > bytes.Length - 2)
        {
            throw new EvidenceUnavailableException("The response of the TPM is truncated.");
        }

        rest = bytes[(2 + size)..];
        return bytes.Slice(2, size);
    }

    public static byte[] U16(int value) => [(byte)(value >> 8), (byte)value];

    public static byte[] U32(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];
}
