using System.Buffers;

namespace Cube.Inference.Json;

/// <summary>
/// Arrays for content. Those of up to 1 MiB come from the shared pool; the pool would keep larger ones for minutes, so these are left to the garbage collector. Every array is
/// cleared when it is returned.
/// </summary>
public static class LargeArrays
{
    private const int LargestPooled = 1 << 20;

    public static byte[] Rent(int size) => size > LargestPooled ? GC.AllocateUninitializedArray<byte>(size) : ArrayPool<byte>.Shared.Rent(size);

    public static void Return(byte[] array)
    {
        if (array.Length > LargestPooled)
        {
            Array.Clear(array);
            return;
        }

        ArrayPool<byte>.Shared.Return(array, clearArray: true);
    }
}
