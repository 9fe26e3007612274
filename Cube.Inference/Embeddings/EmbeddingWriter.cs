using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Cube.Inference.Embeddings;

/// <summary>Writes one embedding in the encoding that the client requested, regardless of the model server's: an array of numbers, or base64 of little-endian 32-bit floats.</summary>
internal static class EmbeddingWriter
{
    /// <exception cref="JsonException">The embedding is neither an array of numbers nor base64 of floats.</exception>
    public static void Write(JsonElement embedding, bool asBase64, ByteBuffer output)
    {
        switch (embedding.ValueKind, asBase64)
        {
            case (JsonValueKind.Array, false):
                foreach (var number in embedding.EnumerateArray())
                {
                    if (number.ValueKind != JsonValueKind.Number)
                    {
                        throw new JsonException("An embedding has an element that is not a number.");
                    }
                }

                output.Append(JsonMarshal.GetRawUtf8Value(embedding));
                break;
            case (JsonValueKind.Array, true):
                WriteBase64(embedding, output);
                break;
            case (JsonValueKind.String, true) when embedding.TryGetBytesFromBase64(out var bytes) && bytes.Length % sizeof(float) == 0:
                output.Append(JsonMarshal.GetRawUtf8Value(embedding));
                break;
            case (JsonValueKind.String, false) when embedding.TryGetBytesFromBase64(out var bytes) && bytes.Length % sizeof(float) == 0:
                WriteNumbers(bytes, output);
                break;
            default:
                throw new JsonException("An embedding is neither numbers nor base64 of floats.");
        }
    }

    private static void WriteBase64(JsonElement numbers, ByteBuffer output)
    {
        var floats = new byte[sizeof(float) * numbers.GetArrayLength()];
        var offset = 0;
        foreach (var number in numbers.EnumerateArray())
        {
            BinaryPrimitives.WriteSingleLittleEndian(floats.AsSpan(offset), number.GetSingle());
            offset += sizeof(float);
        }

        output.Append("\""u8).Append(Encoding.ASCII.GetBytes(Convert.ToBase64String(floats))).Append("\""u8);
    }

    private static void WriteNumbers(ReadOnlySpan<byte> floats, ByteBuffer output)
    {
        output.Append("["u8);
        for (var offset = 0; offset < floats.Length; offset += sizeof(float))
        {
            var number = BinaryPrimitives.ReadSingleLittleEndian(floats[offset..]);
            if (!float.IsFinite(number))
            {
                throw new JsonException("An embedding has an element that is not finite.");
            }

            output.Append(offset == 0 ? default : ","u8);
            number.TryFormat(output.GetSpan(32), out var written, provider: CultureInfo.InvariantCulture);
            output.Advance(written);
        }

        output.Append("]"u8);
    }
}
