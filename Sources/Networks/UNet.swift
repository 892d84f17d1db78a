package import Tessera

extension Network {
  /// Three levels of 32, 64 and 128 channels: each pixel's class, for images whose sizes 4 divides. 0.46 million parameters.
  public static func uNet(classes: Int = 2) -> Network {
    let shape: Shape = [128, 128, 3]
    return Network(
      name: "unet", summary: "a class for each pixel, by three levels of U-Net", inputShape: shape, classes: classes,
      model: UNet().model(classes: classes, inputShape: shape))
  }
}

/// Convolutions at several resolutions; the way back up sees what the way down saw. Source: Ronneberger et al., "U-Net"
/// (2015), with padded convolutions, so that images keep their size.
package struct UNet {
  /// Channels at full resolution; each level below has twice as many.
  private let width: Int
  private let levels: Int

  package init(width: Int = 32, levels: Int = 3) { (self.width, self.levels) = (width, levels) }

  package func model(classes: Int, inputShape: Shape) -> Sequential {
    Sequential(inputShape: inputShape) {
      Sequential(level(width, below: levels - 1))
      Conv2D(classes, kernelSize: 1, activation: .softmax, name: "head")
    }
  }

  /// One level, and those below it.
  private func level(_ width: Int, below: Int) -> [any Layer] {
    guard below > 0 else { return [convolutions(width, name: "encode")] }
    return [
      convolutions(width, name: "encode"),
      Concatenate {
        Identity()
        Sequential(name: "inner") {
          MaxPool2D(2)
          Sequential(level(2 * width, below: below - 1))
          ConvTranspose2D(width, kernelSize: 2, stride: 2, initializer: .he, name: "up")
        }
      },
      convolutions(width, name: "decode"),
    ]
  }

  private func convolutions(_ width: Int, name: String) -> Sequential {
    Sequential(name: name) {
      Conv2D(width, kernelSize: 3, padding: .half, activation: .relu, initializer: .he, name: "0")
      Conv2D(width, kernelSize: 3, padding: .half, activation: .relu, initializer: .he, name: "1")
    }
  }
}
