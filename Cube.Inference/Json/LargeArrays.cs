using System.Buffers;

namespace Cube.Inference.Json;

/// <summary>
/// Arrays for bodies. Arrays of up to 1 MiB come from the shared pool. Larger ones are allocated and left to the garbage collector, because the pool would keep them for minutes. Every array is cleared when it is
/// returned.
/// </summary>
public static class LargeArrays
{
    private const int MaxPooledBytes = 1 << 20;

    public static byte[] Rent(int size) => size > MaxPooledBytes ? GC.AllocateUninitializedArray<byte>(size) : ArrayPool<byte>.Shared.Rent(size);

    public static void Return(byte[] array)
    {
        if (array.Length > MaxPooledBytes)
        {
            Array.Clear(array);
            return;
        }

        ArrayPool<byte>.Shared.Return(array, clearArray: true);
    }
}
