using System.Buffers;

namespace Cube.Inference.Json;

/// <summary>
/// Arrays for bodies. Arrays of up to 1 MiB come from the shared pool. Larger ones are allocated and left to the garbage collector, because the pool would keep them for minutes. The used part of an array
/// is cleared when it is returned.
/// </summary>
public static class LargeArrays
{
    private const int MaxPooledBytes = 1 << 20;

    public static byte[] Rent(int size) => size > MaxPooledBytes ? GC.AllocateUninitializedArray<byte>(size) : ArrayPool<byte>.Shared.Rent(size);

    /// <param name="array">An array from <see cref="Rent"/>.</param>
    /// <param name="used">The number of bytes at its start that may have been written.</param>
    public static void Return(byte[] array, int used)
    {
        Array.Clear(array, 0, used);
        if (array.Length <= MaxPooledBytes)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }
}
