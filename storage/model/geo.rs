//! Places on the globe as numbers that a column of integers holds.

/// A place, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeoPoint {
    /// From -90 (south) to 90.
    pub latitude: f64,
    /// From -180 (west) to 180.
    pub longitude: f64,
}

/// Each of both takes 32 bits, as in Lucene: places are known to about a centimetre.
const STEPS: f64 = 4_294_967_296.0;

/// The mean radius of the Earth.
const EARTH_RADIUS_M: f64 = 6_371_008.771_4;

/// Letters of geohashes, five bits each.
const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// Most letters of a geohash.
pub const GEOHASH_LETTERS_MAX: usize = 12;

impl GeoPoint {
    /// The place, when there is one.
    ///
    /// # Errors
    /// Names what lies outside.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, String> {
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(format!("illegal latitude value [{latitude:?}]"));
        }
        if !(-180.0..=180.0).contains(&longitude) {
            return Err(format!("illegal longitude value [{longitude:?}]"));
        }
        Ok(Self {
            latitude,
            longitude,
        })
    }

    /// Latitude in the upper half, longitude in the lower one.
    #[must_use]
    pub fn code(self) -> i64 {
        let [latitude, longitude] = self.steps();
        i64::from(latitude) << 32 | i64::from(longitude as u32)
    }

    /// The place that a code stands for.
    #[must_use]
    pub fn of_code(code: i64) -> Self {
        Self::of_steps(Self::steps_of_code(code))
    }

    /// Latitude and longitude of a code, in steps.
    #[must_use]
    pub fn steps_of_code(code: i64) -> [i32; 2] {
        [(code >> 32) as i32, code as u32 as i32]
    }

    /// The place so many steps from the equator and from Greenwich.
    #[must_use]
    pub fn of_steps([latitude, longitude]: [i32; 2]) -> Self {
        Self {
            latitude: f64::from(latitude) * 180.0 / STEPS,
            longitude: f64::from(longitude) * 360.0 / STEPS,
        }
    }

    /// Metres to another place along a great circle of a ball as large as the Earth.
    #[must_use]
    pub fn distance_m(self, other: Self) -> f64 {
        let (here, there) = (self.latitude.to_radians(), other.latitude.to_radians());
        let sine = |degrees: f64| (degrees.to_radians() / 2.0).sin();
        let north = sine(other.latitude - self.latitude);
        let east = sine(other.longitude - self.longitude);
        let part = north * north + here.cos() * there.cos() * east * east;
        2.0 * EARTH_RADIUS_M * part.sqrt().min(1.0).asin()
    }

    /// Both as signed steps from the equator and from Greenwich.
    fn steps(self) -> [i32; 2] {
        // The last step to the north, or to the east, takes what lies on its far edge.
        let step = |degrees: f64, all: f64| {
            let steps = (degrees / all * STEPS).floor();
            steps.clamp(f64::from(i32::MIN), f64::from(i32::MAX)) as i32
        };
        [step(self.latitude, 180.0), step(self.longitude, 360.0)]
    }

    /// The geohash of so many letters that it lies in.
    #[must_use]
    pub fn geohash(self, letters: usize) -> String {
        let [latitude, longitude] = self.steps().map(|steps| steps as u32 ^ 1 << 31);
        let mut hash = String::new();
        for letter in 0..letters.min(GEOHASH_LETTERS_MAX) {
            let mut number = 0;
            for bit in letter * 5..letter * 5 + 5 {
                let half = if bit % 2 == 0 { longitude } else { latitude };
                number = number << 1 | (half >> (31 - bit / 2) & 1);
            }
            hash.push(char::from(LETTERS[number as usize]));
        }
        hash
    }

    /// The middle of the cell that a geohash names.
    ///
    /// # Errors
    /// When `hash` is no geohash.
    pub fn of_geohash(hash: &str) -> Result<Self, String> {
        let wrong = || format!("unsupported symbol in geohash [{hash}]");
        if hash.is_empty() || hash.len() > GEOHASH_LETTERS_MAX {
            return Err(wrong());
        }
        let (mut south, mut north, mut west, mut east) = (-90.0, 90.0, -180.0, 180.0);
        let mut is_longitude = true;
        for letter in hash.bytes() {
            let lower = letter.to_ascii_lowercase();
            let number = LETTERS.iter().position(|known| *known == lower);
            let number = number.ok_or_else(wrong)?;
            for bit in (0..5).rev() {
                let (low, high) = match is_longitude {
                    true => (&mut west, &mut east),
                    false => (&mut south, &mut north),
                };
                let middle: f64 = (*low + *high) / 2.0;
                match number >> bit & 1 {
                    1 => *low = middle,
                    _ => *high = middle,
                }
                is_longitude = !is_longitude;
            }
        }
        Self::new((south + north) / 2.0, (west + east) / 2.0)
    }
}

/// Cells that places are put together in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeoCells {
    /// Geohashes of so many letters.
    Geohash(usize),
    /// Tiles of a web map at this zoom.
    Tile(u32),
}

/// The latitude where web maps end.
const TILE_LATITUDE_MAX: f64 = 85.051_128_779_806_6;

/// Bits of a tile's row in a code.
const TILE_BITS: u32 = 29;

impl GeoCells {
    /// The cell of a place, both as codes. Codes have the order of Elasticsearch's.
    #[must_use]
    pub fn cell(self, place: i64) -> i64 {
        let place = GeoPoint::of_code(place);
        match self {
            Self::Geohash(letters) => {
                let [latitude, longitude] = place.steps().map(|steps| steps as u32 ^ 1 << 31);
                (0..letters.min(GEOHASH_LETTERS_MAX) * 5).fold(0, |code, bit| {
                    let half = if bit % 2 == 0 { longitude } else { latitude };
                    code << 1 | i64::from(half >> (31 - bit / 2) & 1)
                })
            }
            Self::Tile(zoom) => {
                let tiles = f64::from(1_u32 << zoom.min(TILE_BITS));
                let latitude = place.latitude.clamp(-TILE_LATITUDE_MAX, TILE_LATITUDE_MAX);
                let radians = latitude.to_radians();
                let north = (radians.tan() + 1.0 / radians.cos()).ln();
                let tile = |part: f64| (part * tiles).floor().clamp(0.0, tiles - 1.0) as i64;
                let column = tile((place.longitude + 180.0) / 360.0);
                let row = tile((1.0 - north / std::f64::consts::PI) / 2.0);
                column << TILE_BITS | row
            }
        }
    }

    /// The name of a cell: `u33`, `4/8/5`.
    #[must_use]
    pub fn name(self, cell: i64) -> String {
        match self {
            Self::Geohash(letters) => (0..letters.min(GEOHASH_LETTERS_MAX))
                .rev()
                .map(|letter| {
                    let number = cell >> (5 * letter) & 31;
                    char::from(LETTERS[number as usize])
                })
                .collect(),
            Self::Tile(zoom) => {
                let row = cell & ((1 << TILE_BITS) - 1);
                format!("{zoom}/{}/{row}", cell >> TILE_BITS)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_places() {
        for (latitude, longitude) in [
            (0.0, 0.0),
            (37.2343, -115.8067),
            (-90.0, -180.0),
            (90.0, 180.0),
            (52.52, 13.405),
        ] {
            let place = GeoPoint::new(latitude, longitude).expect("on the globe");
            let back = GeoPoint::of_code(place.code());
            assert!((back.latitude - latitude).abs() < 1e-7, "{back:?}");
            assert!((back.longitude - longitude).abs() < 1e-7, "{back:?}");
        }
        GeoPoint::new(90.1, 0.0).expect_err("beyond the pole");
        GeoPoint::new(0.0, f64::NAN).expect_err("nowhere");
    }

    #[test]
    fn cells_have_names() {
        let place = GeoPoint::new(52.52, 13.405).expect("on the globe").code();
        let name = |cells: GeoCells| cells.name(cells.cell(place));
        assert_eq!(name(GeoCells::Geohash(3)), "u33");
        assert_eq!(
            name(GeoCells::Geohash(12)),
            GeoPoint::of_code(place).geohash(12)
        );
        assert_eq!(name(GeoCells::Tile(4)), "4/8/5");
        assert_eq!(name(GeoCells::Tile(0)), "0/0/0");
    }

    #[test]
    fn geohashes_name_cells() {
        // The example of Wikipedia's article on geohashes.
        let place = GeoPoint::new(57.64911, 10.40744).expect("on the globe");
        assert_eq!(place.geohash(11), "u4pruydqqvj");
        let middle = GeoPoint::of_geohash("u4pruydqqvj").expect("a geohash");
        assert!((middle.latitude - place.latitude).abs() < 1e-5);
        assert!((middle.longitude - place.longitude).abs() < 1e-5);
        GeoPoint::of_geohash("a").expect_err("no letter of geohashes");
    }
}
